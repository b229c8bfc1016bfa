//! Who is connected: so many in all, and so many from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of a server's connections.
#[derive(Debug)]
pub(super) struct Doors {
    max_connections: usize,
    max_per_address: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    doors: Arc<Doors>,
    address: IpAddr,
}

/// Why a connection gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("as many connections as are kept at once")]
    InAll,
    #[error("as many connections as one address may have")]
    OfAddress,
}

impl Doors {
    pub(super) fn new(max_connections: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max_connections,
            max_per_address,
            taken: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = neighbourhood(address);
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= self.max_connections {
            return Err(Full::InAll);
        }
        let here = taken.entry(address).or_default();
        // There is none of its own yet, so an address that is refused leaves nothing behind.
        if *here >= self.max_per_address {
            return Err(Full::OfAddress);
        }
        *here += 1;
        Ok(Place {
            doors: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.doors.taken();
        if let Some(here) = taken.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Returns what counts as one address: a machine has all of the 2^64 that begin alike, in the new kind.
fn neighbourhood(address: IpAddr) -> IpAddr {
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
        let doors = Doors::new(3, 2);
        let flood = address("10.0.0.1");
        let first = doors.enter(flood).unwrap();
        let _second = doors.enter(flood).unwrap();
        assert_eq!(doors.enter(flood).unwrap_err(), Full::OfAddress);
        let _other = doors.enter(address("10.0.0.2")).unwrap();
        assert_eq!(doors.enter(address("10.0.0.3")).unwrap_err(), Full::InAll);
        drop(first);
        let again = doors.enter(flood).unwrap();
        drop(again);
        assert_eq!(doors.taken().len(), 2);
    }

    #[test]
    fn a_network_of_the_new_kind_is_one_address() {
        let near = [address("2001:db8::1"), address("2001:db8::ffff:1")];
        assert_eq!(neighbourhood(near[0]), neighbourhood(near[1]));
        assert_ne!(
            neighbourhood(near[0]),
            neighbourhood(address("2001:db8:0:1::1"))
        );
        assert_eq!(
            neighbourhood(address("::ffff:10.0.0.1")),
            address("10.0.0.1")
        );
    }
}
