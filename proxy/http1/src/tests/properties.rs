//! What is written is read back as the same, however it is split.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::encode::{self, ChunkPrefix};
use crate::fields::{is_value, is_value_byte};
use crate::fuzz::{Ending, Line, Message, Side, read, write};
use crate::{
    Asked, BodyDecoder, BodyLimits, Expect, Framing, Known, Limits, Parse, RequestHead, State, Version,
};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn name() -> impl Strategy<Value = Vec<u8>> {
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}".prop_map(String::into_bytes).prop_filter(
        "framing is chosen apart",
        |name| {
            let framing = [Known::ContentLength, Known::TransferEncoding, Known::Connection, Known::Expect];
            !framing.contains(&Known::of(name))
        },
    )
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![4 => 0x21..=0x7eu8, 1 => Just(b' '), 1 => Just(b'\t'), 1 => 0x80..=0xffu8], 0..40)
        .prop_map(|value| value.trim_ascii().to_vec())
}

fn pairs() -> impl Strategy<Value = Pairs> {
    vec((name(), value()), 0..12)
}

fn framed(mut fields: Pairs, chunked: bool, body: &[u8]) -> (Pairs, Framing) {
    if chunked {
        fields.push((b"Transfer-Encoding".to_vec(), b"chunked".to_vec()));
        return (fields, Framing::Chunked);
    }
    fields.push((b"Content-Length".to_vec(), body.len().to_string().into_bytes()));
    (fields, Framing::Length(body.len() as u64))
}

prop_compose! {
    fn request()(
        method in "[A-Z]{1,12}".prop_filter("has no body", |method| method != "CONNECT"),
        target in "/[!-~\u{e4}\u{4e2d}]{0,60}",
        fields in pairs(),
        chunked in any::<bool>(),
        body in vec(any::<u8>(), 0..80),
        trailers in pairs(),
    ) -> Message {
        let (fields, framing) = framed(fields, chunked, &body);
        let line = Line::Request { method, target, version: Version::Http11, expect: Expect::None, upgrade: None };
        let trailers = if chunked { trailers } else { Vec::new() };
        Message { line, fields, framing, keep_alive: true, body, trailers }
    }
}

prop_compose! {
    fn response()(
        status in (200..1000u16).prop_filter("has no body", |status| ![204, 304].contains(status)),
        reason in value(),
        fields in pairs(),
        chunked in any::<bool>(),
        body in vec(any::<u8>(), 0..80),
        trailers in pairs(),
    ) -> Message {
        let (fields, framing) = framed(fields, chunked, &body);
        let line = Line::Response { status, reason, version: Version::Http11 };
        let trailers = if chunked { trailers } else { Vec::new() };
        Message { line, fields, framing, keep_alive: true, body, trailers }
    }
}

/// Cuts `bytes` into pieces of the given lengths, over and over.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() || lengths.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*length).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_given_whole_where_it_came_as_it_would_be_written(
        fields in vec((name(), "[ \t]{0,2}", value(), "[ \t]{0,2}"), 1..8),
    ) {
        let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
        for (name, before, value, behind) in &fields {
            bytes.extend([name, b":".as_slice(), before.as_bytes(), value, behind.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let mut head = RequestHead::new();
        let len = bytes.len();
        prop_assert_eq!(head.parse(&bytes, &Limits::default()), Ok(Parse::Complete { len }));
        for (view, (name, before, value, behind)) in head.view(&bytes).fields().iter().zip(&fields) {
            let mut written = Vec::new();
            encode::field(&mut written, name, value);
            let plain = before == " " && behind.is_empty() && !value.is_empty();
            prop_assert!(view.line.map_or(!plain, |line| line == written));
        }
    }

    #[test]
    fn requests_round_trip(messages in vec(request(), 1..4), lengths in vec(1..50usize, 0..5)) {
        let mut bytes = Vec::new();
        for message in &messages {
            write(&mut bytes, message);
        }
        let outcome = read(Side::Client, pieces(&bytes, &lengths), &Limits::default(), BodyLimits::default());
        prop_assert_eq!(outcome, (messages, Ending::Clean));
    }

    #[test]
    fn responses_round_trip(messages in vec(response(), 1..4), lengths in vec(1..50usize, 0..5)) {
        let mut bytes = Vec::new();
        for message in &messages {
            write(&mut bytes, message);
        }
        let side = Side::Upstream(Asked::default());
        let outcome = read(side, pieces(&bytes, &lengths), &Limits::default(), BodyLimits::default());
        prop_assert_eq!(outcome, (messages, Ending::Clean));
    }

    #[test]
    fn chunks_round_trip(
        chunks in vec(vec(any::<u8>(), 1..40), 0..8),
        lengths in vec(1..20usize, 0..5),
        next in vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            encode::chunk_prefix(&mut bytes, chunk.len());
            bytes.extend_from_slice(chunk);
            encode::chunk_end(&mut bytes);
        }
        encode::last_chunk(&mut bytes, []);
        let ends = bytes.len();
        bytes.extend_from_slice(&next);
        let mut decoder = BodyDecoder::new(Framing::Chunked, BodyLimits::default());
        let (mut data, mut taken) = (Vec::new(), 0);
        for mut piece in pieces(&bytes, &lengths) {
            while !piece.is_empty() && !decoder.is_end() {
                let step = decoder.decode(piece).unwrap();
                data.extend_from_slice(&piece[step.data.clone()]);
                taken += step.consumed;
                piece = &piece[step.consumed..];
                prop_assert_eq!(step.state == State::End, decoder.is_end());
            }
        }
        prop_assert!(decoder.is_end());
        prop_assert_eq!(taken, ends);
        prop_assert_eq!(data, chunks.concat());
    }

    #[test]
    fn chunk_prefixes_are_hexadecimal(len in 1..usize::MAX) {
        let (prefix, expected) = (ChunkPrefix::new(len), format!("{len:x}\r\n"));
        prop_assert_eq!(prefix.as_ref(), expected.as_bytes());
    }

    #[test]
    fn values_are_judged_byte_by_byte(clean in vec(prop_oneof![Just(b'\t'), b' '..=0x7eu8, 0x80..=0xffu8], 0..40), any in vec(any::<u8>(), 0..3), at in any::<prop::sample::Index>()) {
        prop_assert!(is_value(&clean));
        let mut value = clean.clone();
        let at = at.index(clean.len() + 1);
        value.splice(at..at, any);
        prop_assert_eq!(is_value(&value), value.iter().copied().all(is_value_byte));
    }

    #[test]
    fn names_are_classified_in_any_case(index in 0..Known::ALL.len(), upper in any::<u32>()) {
        let known = Known::ALL[index];
        let mut name = known.name().as_bytes().to_vec();
        for (place, byte) in name.iter_mut().enumerate() {
            if upper >> place & 1 == 1 {
                byte.make_ascii_uppercase();
            }
        }
        prop_assert_eq!(Known::of(&name), known);
    }

    #[test]
    fn only_its_name_is_classified(name in "[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,20}") {
        let found = Known::ALL.iter().copied().find(|known| known.name().eq_ignore_ascii_case(&name));
        prop_assert_eq!(Known::of(name.as_bytes()), found.unwrap_or(Known::Other));
    }

    #[test]
    fn a_cleared_head_starts_anew(first in request(), second in request(), cut in any::<prop::sample::Index>()) {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        write(&mut one, &first);
        write(&mut two, &second);
        let mut head = RequestHead::new();
        let Ok(Parse::Complete { len }) = head.parse(&one, &Limits::default()) else { panic!() };
        prop_assert_eq!(head.parse(&one[..cut.index(len)], &Limits::default()), Ok(Parse::Partial));
        head.clear();
        let again = head.parse(&two, &Limits::default());
        prop_assert!(matches!(again, Ok(Parse::Complete { .. })), "{again:?}");
        prop_assert_eq!(head.view(&two).fields().len(), second.fields.len());
    }
}

#[test]
fn kept_as_it_came() {
    let block = b"GET /x HTTP/1.1\r\nHoSt: A\r\nX_y: 1\r\nx-Y: 2\r\nCONNECTION: Host, te, x-Y\r\nTE: trailers;q=1, trailers\r\n\r\n";
    let mut head = RequestHead::new();
    head.parse(block, &Limits::default()).unwrap();
    let fields = head.view(block).fields();
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    assert_eq!(names, [&b"HoSt"[..], b"X_y", b"x-Y", b"CONNECTION", b"TE"]);
    assert!(
        fields.underscores() && fields.seen().contains(Known::Host) && !fields.seen().contains(Known::Date)
    );
    assert_eq!(
        (fields.get(b"host"), fields.get(b"X-y"), fields.get(b"z")),
        (Some(&b"A"[..]), Some(&b"2"[..]), None)
    );
    let options = head.view(block).options();
    assert!(options.listed.contains(Known::Host) && options.listed.contains(Known::Other));
    assert!(fields.is_listed(b"X-Y") && !fields.is_listed(b"x_y"));
    assert!(head.view(block).te_trailers());
    // A view over other bytes is nonsense, not a panic.
    assert_eq!(head.view(b"").target(), "");
    assert_eq!(head.view(b"abc").fields().iter().count(), 5);
}

#[test]
fn nothing_unclean_is_written() {
    let mut out = Vec::new();
    for (name, value) in [
        ("a b", "c"),
        ("", "c"),
        ("a:", "c"),
        ("a", "c\r\nd: e"),
        ("a", "\n"),
        ("a", "\0"),
        ("a\r", ""),
        ("a", "\x7f"),
    ] {
        assert!(
            encode::try_field(&mut out, name.as_bytes(), value.as_bytes()).is_err(),
            "{name:?} {value:?}"
        );
    }
    for (method, target) in
        [("G ET", "/"), ("", "/"), ("GET", ""), ("GET", "/ x"), ("GET", "/\r\n"), ("GET", "/\x7f")]
    {
        assert!(encode::try_request_line(&mut out, method.as_bytes(), &[target.as_bytes()]).is_err());
    }
    assert!(out.is_empty());
    encode::request_line(&mut out, b"GET", &[b"/a", b"?", b"b"]);
    encode::content_length(&mut out, u64::MAX);
    encode::status_line(&mut out, 404, encode::reason_phrase(404).as_bytes());
    encode::chunked(&mut out);
    let expected = "GET /a?b HTTP/1.1\r\ncontent-length: 18446744073709551615\r\nHTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n";
    assert_eq!(out, expected.as_bytes());
}

#[test]
fn forbidden_trailers_are_flagged() {
    for (trailer, forbidden) in [("x-checksum: 1", false), ("Content-Length: 1", true), ("HOST: a", true)] {
        let mut decoder = BodyDecoder::new(Framing::Chunked, BodyLimits::default());
        let bytes = format!("0\r\n{trailer}\r\n\r\n");
        assert_eq!(decoder.decode(bytes.as_bytes()).unwrap().state, State::End);
        assert_eq!(decoder.trailers().forbidden(), forbidden, "{trailer}");
        decoder.start(Framing::Length(3));
        assert!(decoder.trailers().is_empty());
        assert_eq!(decoder.remaining(), Some(3));
    }
}
