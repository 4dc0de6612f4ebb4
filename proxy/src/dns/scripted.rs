//! A name server on loopback that says what a test tells it.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// What the server says about a name.
#[derive(Clone)]
pub(crate) enum Script {
    Addresses(Vec<IpAddr>, u32),
    ServerFailure,
    Silence,
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    questions: Arc<AtomicUsize>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let scripts = Arc::<Mutex<HashMap<String, Script>>>::default();
        let questions = Arc::<AtomicUsize>::default();
        let (known, count) = (scripts.clone(), questions.clone());
        // Ends with the test process: it blocks on a socket that nobody else knows.
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                let Some((name, kind)) = question(&packet[..length]) else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let script = known.lock().unwrap().get(&name).cloned();
                if let Some(answer) = answer(&packet[..length], kind, script) {
                    let _ = socket.send_to(&answer, peer);
                }
            }
        });
        Self { address, scripts, questions }
    }

    pub(crate) fn say(&self, name: &str, script: Script) {
        self.scripts.lock().unwrap().insert(name.to_owned(), script);
    }

    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

/// Name and record type of the first question.
fn question(packet: &[u8]) -> Option<(String, u16)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
        at += length;
    }
    Some((labels.join("."), u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?])))
}

fn answer(query: &[u8], kind: u16, script: Option<Script>) -> Option<Vec<u8>> {
    let question_end = 12 + query[12..].iter().position(|byte| *byte == 0)? + 5;
    let (code, records): (u8, Vec<(IpAddr, u32)>) = match script {
        None => (3, Vec::new()),
        Some(Script::ServerFailure) => (2, Vec::new()),
        Some(Script::Silence) => return None,
        Some(Script::Addresses(addresses, ttl)) => (
            0,
            addresses
                .into_iter()
                .filter(|address| address.is_ipv4() == (kind == 1))
                .map(|address| (address, ttl))
                .collect(),
        ),
    };
    let mut out = query[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    out.extend(&query[12..question_end]);
    for (address, ttl) in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(ttl.to_be_bytes());
        match address {
            IpAddr::V4(v4) => {
                out.extend([0, 4]);
                out.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                out.extend([0, 16]);
                out.extend(v6.octets());
            }
        }
    }
    Some(out)
}
