//! `h2load`: HTTP/2 streams and gRPC, and, since `wrk` sends no bodies well, uploads over HTTP/1.1.

use super::{FIELDS, Order, Outcome, tool};
use crate::row::Streams;
use std::{fs, path::PathBuf};

const UPLOAD: usize = 1 << 20;

pub(super) fn streams(order: &Order<'_>, kind: Streams) -> Result<Outcome, String> {
    let mut arguments = vec!["-c8".into(), "-m8".into()];
    match kind {
        Streams::Get => arguments.extend(fields()),
        Streams::Grpc => {
            let message = file("grpc", &[[0, 0, 0, 0, 64].as_slice(), &[b'x'; 64]].concat())?;
            arguments.extend(["-d".into(), message.display().to_string()]);
            arguments.extend(["-H".into(), "content-type: application/grpc".into()]);
            arguments.extend(["-H".into(), "te: trailers".into()]);
        }
    }
    run(order, arguments, "https", "1k")
}

pub(super) fn uploads(order: &Order<'_>) -> Result<Outcome, String> {
    let body = file("upload", &vec![b'x'; UPLOAD])?;
    let mut arguments: Vec<String> = vec!["--h1".into(), "-c16".into(), "-m1".into()];
    arguments.extend(["-d".into(), body.display().to_string()]);
    arguments.extend(fields());
    run(order, arguments, "http", "1k")
}

fn fields() -> impl Iterator<Item = String> {
    FIELDS
        .into_iter()
        .flat_map(|(name, value)| ["-H".to_owned(), format!("{}: {value}", name.to_ascii_lowercase())])
}

/// A body that h2load sends, in this process's own folder.
fn file(name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    let file = std::env::temp_dir().join(format!("sluice-benches-{}-{name}", std::process::id()));
    fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn run(order: &Order<'_>, mut arguments: Vec<String>, scheme: &str, size: &str) -> Result<Outcome, String> {
    let port = order.address.port();
    arguments.extend(["-t1".into(), "-D".into(), order.time.as_secs().max(1).to_string()]);
    arguments.extend(["--connect-to".into(), order.address.to_string()]);
    arguments.push(format!("{scheme}://{}:{port}{}", order.host(), order.path(size)));
    read(&tool("h2load", &arguments)?, order.time.as_secs_f64())
}

fn read(text: &str, seconds: f64) -> Result<Outcome, String> {
    let unreadable = || format!("h2load printed what is not understood here: {text}");
    let line = text.lines().find(|line| line.starts_with("requests: ")).ok_or_else(unreadable)?;
    let count = |what: &str| {
        let counted = line
            .split([',', ':'])
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok());
        counted.ok_or_else(unreadable)
    };
    // Not `succeeded`, which counts the streams whose status is good; `status codes` says the same of answers.
    let bad = count("failed")?.max(count("errored")?) + count("timeout")?;
    if bad > 0 {
        return Err(format!("h2load: {line}"));
    }
    Ok(Outcome { requests: count("succeeded")?, seconds, latencies: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_that_succeeded() {
        let text = "finished in 3.00s, 9.23 req/s\nrequests: 30 total, 36 started, 30 done, 28 succeeded, 0 failed, 0 errored, 0 timeout\n";
        assert_eq!(read(text, 3.0).unwrap().requests, 28);
        let text = "requests: 30 total, 36 started, 30 done, 28 succeeded, 2 failed, 0 errored, 0 timeout\n";
        assert!(read(text, 3.0).unwrap_err().contains("2 failed"));
    }
}
