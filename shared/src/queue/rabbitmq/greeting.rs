//! What a broker says of itself before anyone logs in: the first frame of AMQP 0-9-1, which has its product and version.
//!
//! The client library keeps them to itself. Over TLS it is not asked.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::BrokerConfig;
use crate::wording::shortened;

/// What a client of AMQP 0-9-1 begins with.
const HELLO: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Longest wait for all that the broker says: one that says a byte now and then is waited for no longer.
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
    let (host, port) = config.plain_endpoint()?;
    greeting_within(PATIENCE, (host.as_str(), port)).await
}

async fn greeting_within(patience: Duration, endpoint: (&str, u16)) -> Option<Greeting> {
    let frame = timeout(patience, first_frame(endpoint)).await.ok()?;
    Greeting::read(&frame.ok()?)
}

/// Returns what the first frame holds.
async fn first_frame(endpoint: (&str, u16)) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(endpoint).await?;
    stream.write_all(HELLO).await?;
    // Its type, its channel and the size of what follows.
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [_, _, _, size @ ..] = head;
    let size = u32::from_be_bytes(size) as usize;
    if size > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; size];
    stream.read_exact(&mut frame).await?;
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
    use tokio::net::TcpListener;

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

    /// Returns the port of a server that says this, and goes on with a byte now and then if it drips.
    async fn server(says: Vec<u8>, drips: bool) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&says).await.unwrap();
            while drips && stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Until the other side has gone.
            while stream.read_u8().await.is_ok() {}
        });
        port
    }

    /// Returns the type, channel and size of a frame.
    fn head(size: usize) -> Vec<u8> {
        let size = u32::try_from(size).unwrap().to_be_bytes();
        [&[1_u8, 0, 0][..], &size].concat()
    }

    #[tokio::test]
    async fn a_server_that_says_no_whole_frame_is_waited_for_once_and_not_for_each_byte() {
        let whole = frame(&greeting());
        let says = [head(whole.len()), whole].concat();
        let port = server(says, false).await;
        let found = greeting_within(PATIENCE, ("127.0.0.1", port)).await;
        assert_eq!(found.unwrap().product, "RabbitMQ");

        for drips in [false, true] {
            let port = server(head(MAX_FRAME), drips).await;
            let asked = greeting_within(Duration::from_millis(100), ("127.0.0.1", port));
            let found = timeout(PATIENCE, asked).await;
            assert_eq!(found, Ok(None), "{drips}");
        }
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
