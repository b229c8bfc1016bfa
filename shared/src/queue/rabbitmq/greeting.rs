//! What a broker says of itself before anyone logs in: the first frame of AMQP 0-9-1, which has its product and version.
//!
//! The client library keeps them to itself. Over TLS it is not asked.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::blocking;
use crate::settings::BrokerConfig;
use crate::wording::shortened;

/// What a client of AMQP 0-9-1 begins with.
const HELLO: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Longest wait for the broker to connect, and to say anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the first frame at most.
const MAX_FRAME: usize = 1 << 16;
/// Bytes of a name or version that are kept.
const MAX_TEXT: usize = 60;

/// A broker's product and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The product, such as `RabbitMQ`.
    pub product: String,
    /// Its version, such as `3.10.8`.
    pub version: String,
}

/// Returns how a broker greets; none if it does not, not so, or only over TLS.
pub(super) async fn greeting(config: &BrokerConfig) -> Option<Greeting> {
    let endpoint = config.plain_endpoint()?;
    blocking::run(move || Greeting::read(&first_frame(&endpoint).ok()?)).await
}

/// Returns what the first frame holds.
fn first_frame((host, port): &(String, u16)) -> io::Result<Vec<u8>> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in (host.as_str(), *port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return exchange(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn exchange(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(HELLO)?;
    // Its type, its channel and the size of what follows.
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let [_, _, _, size @ ..] = head;
    let size = u32::from_be_bytes(size) as usize;
    if size > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; size];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

impl Greeting {
    /// Reads what `connection.start` holds: class, method, the protocol's version, then a table of the server's properties.
    fn read(frame: &[u8]) -> Option<Self> {
        let (start, rest) = frame.split_at_checked(6)?;
        if !start.starts_with(&[0, 10, 0, 10]) {
            return None;
        }
        let (mut product, mut version) = (None, None);
        let (mut table, _) = sized(rest)?;
        while let Some((name, value, rest)) = entry(table) {
            match name {
                b"product" => product = text(value),
                b"version" => version = text(value),
                _ => {}
            }
            table = rest;
        }
        Some(Self {
            product: product?,
            version: version?,
        })
    }
}

/// Returns the first entry of a table, its value without the type, and what follows; none at its end, or where a value is of
/// a type that is not known.
fn entry(table: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&length, rest) = table.split_first()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let (kind, rest) = rest.split_first()?;
    let (value, rest) = match kind {
        b'S' | b'F' | b'A' | b'x' => sized(rest)?,
        b't' | b'b' | b'B' => rest.split_at_checked(1)?,
        b's' | b'u' => rest.split_at_checked(2)?,
        b'I' | b'i' | b'f' => rest.split_at_checked(4)?,
        b'D' => rest.split_at_checked(5)?,
        b'l' | b'L' | b'd' | b'T' => rest.split_at_checked(8)?,
        b'V' => rest.split_at_checked(0)?,
        _ => return None,
    };
    Some((name, value, rest))
}

/// Returns bytes behind their number, and what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*size) as usize)
}

fn text(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    Some(shortened(text, MAX_TEXT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let size = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[kind][..], &size, bytes].concat()
    }

    /// Returns the frame of a broker with these properties.
    fn frame(properties: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let entry = |(name, value): &(&str, Vec<u8>)| {
            let length = u8::try_from(name.len()).unwrap();
            [&[length][..], name.as_bytes(), value].concat()
        };
        let table = properties.iter().map(entry).collect::<Vec<_>>().concat();
        let table = value(b'F', &table);
        [&[0, 10, 0, 10, 0, 9][..], &table[1..]].concat()
    }

    fn greeting() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("capabilities", value(b'F', b"\x01at\x01")),
            ("durable", vec![b't', 1]),
            ("product", value(b'S', b"RabbitMQ")),
            ("version", value(b'S', b"3.10.8")),
        ]
    }

    #[test]
    fn product_and_version_are_read_among_other_properties() {
        let expected = Greeting {
            product: "RabbitMQ".to_owned(),
            version: "3.10.8".to_owned(),
        };
        assert_eq!(Greeting::read(&frame(&greeting())), Some(expected));
    }

    #[test]
    fn whatever_a_server_says_is_read_within_its_bytes() {
        let whole = frame(&greeting());
        for end in 0..whole.len() {
            assert_eq!(Greeting::read(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 0xff;
            let _ = Greeting::read(&other);
        }
        assert_eq!(Greeting::read(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None);
    }
}
