//! Asks the admin endpoint of a running process.

use crate::failure::Failure;
use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// For connecting, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer.
const MOST: u64 = 16 * 1024 * 1024;

/// Sends a GET; the answer's text where it is 200. `admin` is an address or a URL.
pub(crate) fn get(admin: &str, path: &str, query: &[(&str, String)]) -> Result<String, Failure> {
    let authority = authority(admin)?;
    let mut target = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        encode(value, &mut target);
    }
    let unreachable = |error: io::Error| {
        Failure::system(format!(
            "no answer from the admin endpoint at {authority}: {error}; see `--admin` of the process that runs"
        ))
    };
    let answer = exchange(authority, &target).map_err(unreachable)?;
    let (status, body) = read(&answer).ok_or_else(|| {
        Failure::system(format!("what answers at {authority} is no admin endpoint of Sluice"))
    })?;
    match status {
        200 => Ok(body.to_owned()),
        400 => Err(Failure::usage(body.trim_end())),
        status => Err(Failure::system(format!("{authority} answers {status}: {}", body.trim_end()))),
    }
}

/// `127.0.0.1:15000` of itself, and of `http://127.0.0.1:15000/`.
fn authority(admin: &str) -> Result<&str, Failure> {
    let authority = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    let whole = authority
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if whole && authority.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
        Ok(authority)
    } else {
        Err(Failure::usage(format!(
            "--admin: `{admin}` is not an address; write HOST:PORT, as in 127.0.0.1:15000"
        )))
    }
}

fn encode(value: &str, target: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a command has no shards that could wait")]
fn exchange(authority: &str, target: &str) -> io::Result<Vec<u8>> {
    let address = authority.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body of an answer that ends with its connection.
fn read(answer: &[u8]) -> Option<(u16, &str)> {
    let (head, body) = str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_url_are_the_same() {
        for admin in ["127.0.0.1:15000", "http://127.0.0.1:15000", "http://127.0.0.1:15000/"] {
            assert_eq!(authority(admin).unwrap(), "127.0.0.1:15000");
        }
        for admin in ["15000", "localhost", ":15000", "https://127.0.0.1:15000", "a:1/b:2"] {
            assert!(authority(admin).is_err(), "{admin}");
        }
    }

    #[test]
    fn values_cannot_end_the_line() {
        let mut target = String::new();
        encode("/a b?c&d\r\n%", &mut target);
        assert_eq!(target, "%2Fa%20b%3Fc%26d%0D%0A%25");
    }
}
