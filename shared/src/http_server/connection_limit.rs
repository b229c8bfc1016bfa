//! Limits on open connections: in total, and for each client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the open connections of a server, and refuses those above its limits.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    max_connections: usize,
    max_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Permission for one connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    limit: Arc<ConnectionLimit>,
    address: IpAddr,
}

/// Which limit a connection is refused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitReached {
    #[error("as many connections as are kept at once")]
    Total,
    #[error("as many connections as one address may have")]
    PerAddress,
}

impl ConnectionLimit {
    pub(super) fn new(max_connections: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max_connections,
            max_per_address,
            open: Mutex::default(),
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a permit for one more connection from an address.
    pub(super) fn acquire(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Result<ConnectionPermit, LimitReached> {
        let address = network_of(address);
        let mut open = self.open();
        if open.values().sum::<usize>() >= self.max_connections {
            return Err(LimitReached::Total);
        }
        let here = open.entry(address).or_default();
        // There is none of its own yet, so an address that is refused leaves nothing behind.
        if *here >= self.max_per_address {
            return Err(LimitReached::PerAddress);
        }
        *here += 1;
        Ok(ConnectionPermit {
            limit: Arc::clone(self),
            address,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.limit.open();
        if let Some(here) = open.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Returns the address that connections are counted under: itself for IPv4, its /64 network for IPv6, all of which one
/// machine may have.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_room_for_others_and_all_together_for_the_process() {
        let limit = ConnectionLimit::new(3, 2);
        let flood = address("10.0.0.1");
        let first = limit.acquire(flood).unwrap();
        let _second = limit.acquire(flood).unwrap();
        assert_eq!(limit.acquire(flood).unwrap_err(), LimitReached::PerAddress);
        let _other = limit.acquire(address("10.0.0.2")).unwrap();
        assert_eq!(
            limit.acquire(address("10.0.0.3")).unwrap_err(),
            LimitReached::Total
        );
        drop(first);
        let again = limit.acquire(flood).unwrap();
        drop(again);
        assert_eq!(limit.open().len(), 2);
    }

    #[test]
    fn an_ipv6_network_of_one_machine_is_one_address() {
        let near = [address("2001:db8::1"), address("2001:db8::ffff:1")];
        assert_eq!(network_of(near[0]), network_of(near[1]));
        assert_ne!(network_of(near[0]), network_of(address("2001:db8:0:1::1")));
        assert_eq!(network_of(address("::ffff:10.0.0.1")), address("10.0.0.1"));
    }
}
