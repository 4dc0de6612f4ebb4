//! `wrk`: HTTP/1.1 keep-alive, as fast as it goes.

use super::{CONNECTIONS, FIELDS, Order, Outcome, tool};

pub(super) fn run(order: &Order<'_>, tls: bool, size: &str) -> Result<Outcome, String> {
    let scheme = if tls { "https" } else { "http" };
    let mut arguments: Vec<String> =
        vec!["-t1".into(), format!("-c{CONNECTIONS}"), "--timeout".into(), "10s".into()];
    arguments.push(format!("-d{}s", order.time.as_secs().max(1)));
    arguments.extend(["-H".into(), format!("Host: {}", order.host())]);
    for (name, value) in FIELDS {
        arguments.extend(["-H".into(), format!("{name}: {value}")]);
    }
    arguments.push(format!("{scheme}://{}{}", order.address, order.path(size)));
    read(&tool("wrk", &arguments)?)
}

fn read(text: &str) -> Result<Outcome, String> {
    if let Some(wrong) = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Non-2xx") || line.starts_with("Socket errors"))
    {
        return Err(format!("wrk: {wrong}"));
    }
    let unreadable = || format!("wrk printed what is not understood here: {text}");
    let line = text.lines().find(|line| line.contains(" requests in ")).ok_or_else(unreadable)?;
    let mut words = line.split_ascii_whitespace();
    let requests = words.next().and_then(|word| word.parse().ok()).ok_or_else(unreadable)?;
    let seconds = words.nth(2).and_then(|word| word.trim_end_matches(',').strip_suffix('s')?.parse().ok());
    Ok(Outcome { requests, seconds: seconds.ok_or_else(unreadable)?, latencies: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_seconds_are_read_from_the_summary() {
        let text = "Running 3s test\n  1 threads and 64 connections\n  61034 requests in 3.02s, 74.50MB read\nRequests/sec:  20209.94\n";
        let outcome = read(text).unwrap();
        assert_eq!((outcome.requests, outcome.seconds), (61034, 3.02));
    }

    #[test]
    fn wrong_answers_fail_the_row() {
        let text = "  9 requests in 3.02s, 1MB read\n  Non-2xx or 3xx responses: 9\n";
        assert!(read(text).unwrap_err().contains("Non-2xx"));
    }
}
