//! The fuzz bodies over the checked-in corpus and over mutations of it.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::fuzz;

/// The files of `corpus/<name>`, in order. Their names say what they are.
pub(super) fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder:?}");
    files
}

fn contents(name: &str) -> Vec<Vec<u8>> {
    files(name).into_iter().map(|(_, bytes)| bytes).collect()
}

/// Pieces that break parsers when they turn up in odd places.
const DICTIONARY: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b";",
    b"0",
    b"0\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"+",
    b"-",
    b"1",
    b"\x7f",
    b"\xff",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"Content-Length: 3\r\n",
    b"content-length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding: identity\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"chunked",
    b"GET / HTTP/1.1\r\n\r\n",
    b"CONNECT ",
    b"HEAD ",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

#[derive(Debug, Clone)]
enum Mutation {
    Insert(Index, Index),
    Byte(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<Index>(), any::<Index>()).prop_map(|(at, word)| Mutation::Insert(at, word)),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        3 => (any::<Index>(), 1..20usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        2 => (any::<Index>(), 1..60usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
        1 => any::<Index>().prop_map(Mutation::Cut),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let len = bytes.len();
    match mutation {
        Mutation::Insert(at, word) => {
            let at = at.index(len + 1);
            bytes.splice(at..at, DICTIONARY[word.index(DICTIONARY.len())].iter().copied());
        }
        _ if len == 0 => {}
        Mutation::Byte(at, byte) => bytes[at.index(len)] = *byte,
        Mutation::Remove(at, count) => {
            let at = at.index(len);
            bytes.drain(at..len.min(at + count));
        }
        Mutation::Repeat(at, count) => {
            let at = at.index(len);
            let again = bytes[at..len.min(at + count)].to_vec();
            bytes.splice(at..at, again);
        }
        Mutation::Cut(at) => bytes.truncate(at.index(len)),
    }
}

/// Files of a corpus with a few mutations each.
pub(super) fn mutants(name: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let files = contents(name);
    (any::<Index>(), vec(mutation(), 0..5)).prop_map(move |(file, mutations)| {
        let mut bytes = files[file.index(files.len())].clone();
        for mutation in &mutations {
            mutate(&mut bytes, mutation);
        }
        bytes
    })
}

#[test]
fn corpus_holds() {
    for (_, bytes) in files("requests") {
        fuzz::requests(&bytes);
        fuzz::chunked(&bytes);
    }
    for (_, bytes) in files("responses") {
        for asked in 0..8 {
            fuzz::responses(&[&[asked], &*bytes].concat());
        }
    }
    for (_, bytes) in files("chunked") {
        fuzz::chunked(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_requests_hold(bytes in mutants("requests")) {
        fuzz::requests(&bytes);
    }

    #[test]
    fn mutated_responses_hold(asked in 0..8u8, bytes in mutants("responses")) {
        fuzz::responses(&[&[asked], &*bytes].concat());
    }

    #[test]
    fn mutated_chunks_hold(bytes in mutants("chunked")) {
        fuzz::chunked(&bytes);
    }

    #[test]
    fn any_bytes_hold(bytes in vec(any::<u8>(), 0..200)) {
        fuzz::requests(&bytes);
        fuzz::responses(&bytes);
        fuzz::chunked(&bytes);
        fuzz::encoder(&bytes);
    }

    #[test]
    fn written_fields_hold(parts in vec("[ -~\t\r\nA-Za-z]{0,12}", 4)) {
        fuzz::encoder(&parts.join("\u{ff}").into_bytes());
        let bytes: Vec<u8> = parts.iter().map(String::as_bytes).collect::<Vec<_>>().join(&0xff);
        fuzz::encoder(&bytes);
    }
}
