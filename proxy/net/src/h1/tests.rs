//! Bodies written and read back over sockets that take little at a time.

use super::{Framed, Head, Reader, Unclean, Writer};
use crate::{
    body::{Front, SourceError},
    fields::HeadFields,
    io::{Buffers, SMALL, Stream},
    testing::{Memory, pair, run},
};
use sluice_core::head::FieldSink;
use sluice_filter::Fields;
use sluice_http1::Framing;
use std::{future::poll_fn, rc::Rc, task::Poll};
use tokio::{io::AsyncWriteExt, task::spawn_local};

/// A reader of a body that follows an empty head.
fn reader(framing: Framing) -> Reader {
    let mut reader = Reader::new(Rc::new(Buffers::default()));
    reader.begin_body(0, framing);
    reader
}

async fn front(reader: &mut Reader, stream: &mut Stream) -> Result<Front, SourceError> {
    poll_fn(|cx| reader.poll_front(cx, stream)).await
}

async fn flush(writer: &mut Writer, stream: &mut Stream) {
    poll_fn(|cx| writer.poll_flush(cx, stream)).await.unwrap();
}

#[test]
fn what_is_written_is_read_however_little_the_socket_takes() {
    run(async |_, _| {
        for (seed, framed) in (0..40).flat_map(|seed| [(seed, Framed::Chunked), (seed, Framed::Counted)]) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let pieces: Vec<Vec<u8>> = (0..rng.usize(0..12))
                .map(|_| {
                    let length = if rng.bool() { rng.usize(1..100) } else { rng.usize(1..60_000) };
                    (0..length).map(|_| rng.u8(..)).collect()
                })
                .collect();
            let (near, far) = pair().await;
            socket2::SockRef::from(&near).set_send_buffer_size(4096).unwrap();
            let whole = pieces.concat();
            let framing = match framed {
                Framed::Chunked => Framing::Chunked,
                _ => Framing::Length(whole.len() as u64),
            };
            spawn_local(async move {
                let (mut writer, mut stream) = (Writer::default(), Stream::Plain(near));
                writer.begin_body(framed);
                let last = pieces.len().saturating_sub(1);
                for (index, piece) in pieces.into_iter().enumerate() {
                    let mut body = Memory { rest: piece.into(), foresees: index == last && rng.bool() };
                    while !body.rest.is_empty() {
                        let taken = poll_fn(|cx| writer.poll_push(cx, &mut stream, &body)).await.unwrap();
                        crate::body::Source::consume(&mut body, taken);
                    }
                    if rng.bool() {
                        flush(&mut writer, &mut stream).await;
                    }
                }
                writer.finish(HeadFields::Empty);
                flush(&mut writer, &mut stream).await;
                assert!(writer.is_clean());
            });
            let (mut reader, mut stream) = (reader(framing), Stream::Plain(far));
            let mut read = Vec::new();
            let mut rng = fastrand::Rng::with_seed(seed);
            while front(&mut reader, &mut stream).await.unwrap() == Front::Data {
                let count = rng.usize(1..=reader.data().len());
                read.extend_from_slice(&reader.data()[..count]);
                reader.consume(count);
            }
            assert!(read == whole, "seed {seed}, {framed:?}: {} of {} bytes", read.len(), whole.len());
            assert!(reader.complete() && !reader.has_surplus());
        }
    });
}

#[test]
fn a_body_that_fits_its_buffer_can_be_read_again() {
    run(async |_, _| {
        let (mut near, far) = pair().await;
        let (mut reader, mut stream) = (reader(Framing::Chunked), Stream::Plain(far));
        near.write_all(b"3\r\none\r\n3\r\ntwo\r\n0\r\nx: y\r\n\r\nnext").await.unwrap();
        for _ in 0..3 {
            let mut body = Vec::new();
            while front(&mut reader, &mut stream).await.unwrap() == Front::Data {
                body.extend_from_slice(reader.data());
                reader.consume(reader.data().len());
            }
            assert_eq!(body, b"onetwo");
            assert_eq!(reader.trailers().first("x"), Some(b"y".as_slice()));
            assert!(reader.held() && reader.rewind());
        }
        while front(&mut reader, &mut stream).await.unwrap() == Front::Data {
            reader.consume(1);
        }
        reader.finish_message();
        assert_eq!(reader.unread(), b"next");
    });
}

#[test]
fn a_body_larger_than_its_buffer_is_not_held() {
    run(async |_, _| {
        let (mut near, far) = pair().await;
        let (mut reader, mut stream) = (reader(Framing::Length(10 * SMALL as u64)), Stream::Plain(far));
        spawn_local(async move {
            near.write_all(&vec![b'x'; 10 * SMALL]).await.unwrap();
            near.write_all(b"next").await.unwrap();
        });
        let mut read = 0;
        while front(&mut reader, &mut stream).await.unwrap() == Front::Data {
            read += reader.data().len();
            reader.consume(reader.data().len());
        }
        assert_eq!(read, 10 * SMALL);
        assert!(!reader.held() && !reader.rewind());
        reader.finish_message();
        while reader.unread().len() < 4 {
            poll_fn(|cx| reader.poll_more(cx, &mut stream, 100)).await.unwrap();
        }
        assert_eq!(reader.unread(), b"next");
    });
}

#[test]
fn bodies_that_end_early_or_break_their_framing_are_errors() {
    run(async |_, _| {
        for (framing, bytes, error) in [
            (Framing::Length(5), "four", SourceError::Gone),
            (Framing::Chunked, "5\r\nfour", SourceError::Gone),
            (Framing::Chunked, "4\r\nfour\r\n", SourceError::Gone),
            (Framing::Chunked, "x\r\n", SourceError::Malformed { status: 400, details: "http1.chunk_size" }),
        ] {
            let (mut near, far) = pair().await;
            near.write_all(bytes.as_bytes()).await.unwrap();
            drop(near);
            let (mut reader, mut stream) = (reader(framing), Stream::Plain(far));
            let end = loop {
                match front(&mut reader, &mut stream).await {
                    Ok(Front::Data) => reader.consume(1),
                    end => break end,
                }
            };
            assert_eq!(end, Err(error), "{bytes:?}");
        }
    });
}

#[test]
fn a_head_with_an_unclean_field_is_no_head() {
    let head = |name: &[u8], value: &[u8]| {
        let mut head = Head::new(b"GET / HTTP/1.1\r\n".to_vec());
        head.field(name, value);
        head.field(b"x", b"y");
        head.finish()
    };
    assert_eq!(head(b"a", b"b"), Ok(b"GET / HTTP/1.1\r\na: b\r\nx: y\r\n".to_vec()));
    for (name, value) in [("a", "b\r\nc: d"), ("a", "\0"), ("a b", "c"), ("", "c"), ("a\r\nb", "c")] {
        assert_eq!(head(name.as_bytes(), value.as_bytes()), Err(Unclean), "{name:?}: {value:?}");
    }
}

#[test]
fn reading_ahead_stops_at_the_end_of_the_buffer() {
    run(async |_, _| {
        let (mut near, far) = pair().await;
        let (mut reader, mut stream) = (reader(Framing::None), Stream::Plain(far));
        let flood = spawn_local(async move { near.write_all(&vec![b'x'; 8 << 20]).await });
        let mut ahead = 0;
        while ahead < SMALL {
            ahead += poll_fn(|cx| reader.poll_ahead(cx, &mut stream)).await.unwrap();
        }
        let full = poll_fn(|cx| Poll::Ready(reader.poll_ahead(cx, &mut stream).is_pending())).await;
        assert!(full && ahead == SMALL && !flood.is_finished());
    });
}
