//! Requests at a fixed rate, whatever the peer does with them.
//!
//! Latency counts from when a request was *due*, not from when it could be sent: a peer that stalls makes all requests late that
//! fell due meanwhile, and they say so. (A closed loop would just ask less often: coordinated omission.)

use super::{CONNECTIONS, Order, Outcome};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::TcpStream,
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// Percentiles, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latencies {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// How long answers that are still missing at the end are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The share of the time that is not counted, at its beginning.
const WARM_UP: f64 = 0.2;

pub(super) fn run(order: &Order<'_>) -> Result<Outcome, String> {
    // Timers of the kernel are late by 50 us unless asked to be better.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(order).map_err(|error| format!("the open loop: {error}"))?);
    }
    Loop {
        clients,
        idle: (0..CONNECTIONS).collect(),
        request: order.request(""),
        pause: Duration::from_secs_f64(1.0 / order.rate),
        begun: Instant::now(),
        time: order.time,
        late: VecDeque::new(),
        taken: Vec::new(),
    }
    .run()
    .map_err(|error| format!("the open loop: {error}"))
}

struct Loop {
    clients: Vec<Client>,
    /// Places of clients that wait for nothing.
    idle: Vec<usize>,
    request: Vec<u8>,
    pause: Duration,
    begun: Instant,
    time: Duration,
    /// When requests were due for which there was no client yet.
    late: VecDeque<Instant>,
    /// How long each took.
    taken: Vec<Duration>,
}

impl Loop {
    fn run(mut self) -> io::Result<Outcome> {
        let (end, counted_from) = (self.begun + self.time, self.begun + self.time.mul_f64(WARM_UP));
        let mut due = self.begun;
        let mut requests = 0;
        loop {
            let now = Instant::now();
            while due <= now && due < end {
                self.late.push_back(due);
                due += self.pause;
            }
            self.send()?;
            if due >= end && self.late.is_empty() && self.idle.len() == self.clients.len() {
                break;
            }
            if now > end + PATIENCE {
                let missing = self.late.len() + self.clients.len() - self.idle.len();
                return Err(io::Error::other(format!("{missing} requests have no answer")));
            }
            let next = if due < end { due } else { end + PATIENCE };
            for place in self.answered(next.saturating_duration_since(now))? {
                if let Some((due, taken)) = self.clients[place].read()? {
                    requests += 1;
                    self.idle.push(place);
                    if due >= counted_from {
                        self.taken.push(taken);
                    }
                }
            }
        }
        let latencies = percentiles(&mut self.taken);
        Ok(Outcome { requests, seconds: self.begun.elapsed().as_secs_f64(), latencies })
    }

    /// Gives what is due to clients that are idle, the one that answered last first.
    fn send(&mut self) -> io::Result<()> {
        while let Some(&due) = self.late.front() {
            let Some(place) = self.idle.pop() else { return Ok(()) };
            self.late.pop_front();
            self.clients[place].send(&self.request, due)?;
        }
        Ok(())
    }

    /// Places of the clients that have something to read.
    fn answered(&self, within: Duration) -> io::Result<Vec<usize>> {
        let mut fds: Vec<PollFd<'_>> =
            self.clients.iter().map(|client| PollFd::new(&client.stream, PollFlags::IN)).collect();
        let within =
            Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: within.subsec_nanos().into() };
        match poll(&mut fds, Some(&within)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok((0..fds.len()).filter(|place| !fds[*place].revents().is_empty()).collect())
    }
}

struct Client {
    stream: TcpStream,
    due: Option<Instant>,
    answer: Vec<u8>,
    filled: usize,
}

impl Client {
    fn connect(order: &Order<'_>) -> io::Result<Self> {
        let stream = TcpStream::connect(order.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, due: None, answer: vec![0; 4096], filled: 0 })
    }

    fn send(&mut self, request: &[u8], due: Instant) -> io::Result<()> {
        self.due = Some(due);
        self.filled = 0;
        // One small request at a time always fits the socket's buffer.
        self.stream.write_all(request)
    }

    /// When its request was due and how long that is ago, once the answer is complete.
    fn read(&mut self) -> io::Result<Option<(Instant, Duration)>> {
        match self.stream.read(&mut self.answer[self.filled..]) {
            Ok(0) => return Err(io::Error::other("a connection was closed")),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let answer = &self.answer[..self.filled];
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other("another answer than 200"));
        }
        if answer.len() < head + 4 + 1024 {
            return Ok(None);
        }
        let Some(due) = self.due.take() else {
            return Err(io::Error::other("an answer that nobody asked for"));
        };
        Ok(Some((due, due.elapsed())))
    }
}

fn percentiles(taken: &mut [Duration]) -> Option<Latencies> {
    taken.sort_unstable();
    let at = |share: f64| {
        let place = (taken.len() as f64 * share).ceil() as usize;
        taken.get(place.clamp(1, taken.len().max(1)) - 1).map(|taken| taken.as_secs_f64() * 1e6)
    };
    Some(Latencies { p50: at(0.50)?, p99: at(0.99)?, p999: at(0.999)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() {
        let mut taken: Vec<Duration> = (1..=1000).rev().map(Duration::from_micros).collect();
        let found = percentiles(&mut taken).unwrap();
        let rounded = [found.p50, found.p99, found.p999].map(|micros| micros.round() as u32);
        assert_eq!(rounded, [500, 990, 999]);
        assert_eq!(percentiles(&mut []), None);
    }
}
