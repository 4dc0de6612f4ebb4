//! A name server on loopback.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// A DNS header.
const HEADER: usize = 12;
/// The record type of IPv4 addresses.
const A: u16 = 1;

/// A name server that knows a few names, each with an IPv4 address. It asks nobody else. Gone when dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl NameServer {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn knowing(names: &[(&str, Ipv4Addr)]) -> Self {
        let names: HashMap<String, Ipv4Addr> =
            names.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let socket = Arc::new(UdpSocket::bind(("127.0.0.1", 0)).await.expect("a free port"));
        let address = socket.local_addr().expect("a bound socket");
        let serving = tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = answer(&packet[..length], &names) {
                    let _ = socket.send_to(&answer, peer).await;
                }
            }
        });
        Self { address, serving }
    }

    /// Where it listens, over UDP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The answer to the only question: an address, none of that type, or that there is no such name.
fn answer(packet: &[u8], names: &HashMap<String, Ipv4Addr>) -> Option<Vec<u8>> {
    const NO_SUCH_NAME: u8 = 3;
    let mut labels: Vec<String> = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(str::from_utf8(packet.get(at..at + length)?).ok()?.to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
    let question = packet.get(HEADER..at + 4)?;
    let known = names.get(&labels.join("."));
    let address = known.filter(|_| kind == A);
    let code = if known.is_some() { 0 } else { NO_SUCH_NAME };
    // An answer, recursion available; one question, perhaps one answer.
    let mut out =
        vec![packet[0], packet[1], 0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0];
    out.extend_from_slice(question);
    if let Some(address) = address {
        // The name of the question, class IN, for a minute.
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend_from_slice(&address.octets());
    }
    Some(out)
}
