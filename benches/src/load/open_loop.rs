//! Requests at a fixed rate, whatever the peer does with them.
//!
//! Latency counts from when a request was *due*, not from when it could be sent: a peer that stalls makes all requests late that
//! fell due meanwhile, and they say so. (A closed loop would just ask less often: coordinated omission.)

use super::{CONNECTIONS, Order, Origin, Outcome};
use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, Timespec, epoll, poll},
    io::Errno,
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::TcpStream,
    num::NonZeroU64,
    os::fd::{AsFd, OwnedFd},
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

pub(super) fn run(order: &Order<'_>, origin: &mut Origin) -> Result<Outcome, String> {
    open(order, origin).and_then(Loop::run).map_err(|error| format!("the open loop: {error}"))
}

fn open<'o>(order: &Order<'_>, origin: &'o mut Origin) -> io::Result<Loop<'o>> {
    // Timers of the kernel are late by 50 us unless asked to be better.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for place in 0..CONNECTIONS {
        let client = Client::connect(order)?;
        watch(&ready, &client.stream, Whom::Client(place))?;
        clients.push(client);
    }
    watch(&ready, origin.listener(), Whom::Listener)?;
    for (place, connection) in origin.connections() {
        watch(&ready, connection, Whom::Server(place))?;
    }
    Ok(Loop {
        clients,
        origin,
        ready,
        idle: (0..CONNECTIONS).collect(),
        request: order.request(""),
        pause: Duration::from_secs_f64(1.0 / order.rate),
        begun: Instant::now(),
        time: order.time,
        late: VecDeque::new(),
        taken: Vec::new(),
    })
}

/// Who has something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Client(usize),
    Listener,
    Server(usize),
}

impl Whom {
    /// The listener has the place behind the clients, and connections to the server those behind it.
    const fn token(self) -> u64 {
        (match self {
            Self::Client(place) => place,
            Self::Listener => CONNECTIONS,
            Self::Server(place) => CONNECTIONS + 1 + place,
        }) as u64
    }

    const fn of(token: u64) -> Self {
        match token as usize {
            place if place < CONNECTIONS => Self::Client(place),
            CONNECTIONS => Self::Listener,
            place => Self::Server(place - CONNECTIONS - 1),
        }
    }
}

fn watch(ready: &OwnedFd, stream: impl AsFd, whom: Whom) -> io::Result<()> {
    Ok(epoll::add(ready, stream, epoll::EventData::new_u64(whom.token()), epoll::EventFlags::IN)?)
}

struct Loop<'o> {
    clients: Vec<Client>,
    origin: &'o mut Origin,
    ready: OwnedFd,
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

impl Loop<'_> {
    fn run(mut self) -> io::Result<Outcome> {
        let (end, counted_from) = (self.begun + self.time, self.begun + self.time.mul_f64(WARM_UP));
        let mut due = self.begun;
        let mut requests = 0;
        let mut events = Vec::with_capacity(2 * CONNECTIONS);
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
            self.wait(next.saturating_duration_since(now), &mut events)?;
            for event in events.drain(..) {
                match Whom::of(event.data.u64()) {
                    Whom::Client(place) => {
                        if let Some((due, taken)) = self.clients[place].read()? {
                            requests += 1;
                            self.idle.push(place);
                            if due >= counted_from {
                                self.taken.push(taken);
                            }
                        }
                    }
                    Whom::Listener => self.accept()?,
                    Whom::Server(place) => self.origin.serve(place)?,
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

    fn accept(&mut self) -> io::Result<()> {
        while let Some(place) = self.origin.accept()? {
            let connection = self.origin.connections().find(|(at, _)| *at == place);
            if let Some((_, connection)) = connection {
                watch(&self.ready, connection, Whom::Server(place))?;
            }
        }
        Ok(())
    }

    /// Waits until somebody has something to read.
    fn wait(&self, within: Duration, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let within =
            Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: within.subsec_nanos().into() };
        // `epoll_wait` by itself knows milliseconds only.
        match poll(&mut [PollFd::new(&self.ready, PollFlags::IN)], Some(&within)) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match epoll::wait(&self.ready, spare_capacity(events), Some(&Timespec::default())) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
    fn who_is_ready_is_told_by_a_number() {
        for whom in
            [Whom::Client(0), Whom::Client(CONNECTIONS - 1), Whom::Listener, Whom::Server(0), Whom::Server(9)]
        {
            assert_eq!(Whom::of(whom.token()), whom);
        }
    }

    #[test]
    fn a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() {
        let mut taken: Vec<Duration> = (1..=1000).rev().map(Duration::from_micros).collect();
        let found = percentiles(&mut taken).unwrap();
        let rounded = [found.p50, found.p99, found.p999].map(|micros| micros.round() as u32);
        assert_eq!(rounded, [500, 990, 999]);
        assert_eq!(percentiles(&mut []), None);
    }
}
