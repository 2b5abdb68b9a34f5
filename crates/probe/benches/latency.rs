//! How true the latency probe is: `cargo bench -p mailzone-probe --bench latency`.
//!
//! The embedded server runs in a thread of its own. The probe runs as in the program: on a worker of tokio's
//! multi-thread runtime. A blocking loop on a connected socket takes turns with it, so that both see the same
//! machine in the same seconds. Figures and what they mean: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mailzone_probe::latency::{quantile, sample};
use mailzone_record::{Name, RRset, RecordType, Ttl, parse_rdata_text};
use mailzone_server::{Handle, Server, Switches, Zone};
use mailzone_wire::{Query, UdpChannel};
use tokio::runtime::{Builder, Runtime};

/// No answer on loopback takes so long; one that does ends the bench.
const PATIENCE: Duration = Duration::from_secs(5);

/// Times above it are counted.
const BOUND: Duration = Duration::from_millis(2);

const ZONE: &str = "latency.test";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Times of questions in a row, and how long the server held each answer.
#[derive(Default)]
struct Times {
    rtt: Vec<Duration>,
    held: Vec<Duration>,
}

fn main() -> Outcome<()> {
    // `cargo test --all-targets` runs this too, without the argument: nothing to do then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let (address, handle) = start_server()?;
    let mut bench = Bench::new(address, handle)?;
    println!("load before: {}", load());

    println!("\nround trip on loopback, us            median      p95      p99      max    over 2 ms");
    // The first round pays for sockets, caches and the frequency of the processor.
    bench.rounds(1, 1000, Duration::ZERO)?;
    let cases = [("back to back", 50, 100, Duration::ZERO), ("10 ms apart", 25, 20, Duration::from_millis(10))];
    for (name, rounds, count, interval) in cases {
        let (probe, blocking) = bench.rounds(rounds, count, interval)?;
        let (probe, blocking) = (sorted(probe.rtt), sorted(blocking.rtt));
        row(&format!("{name}: probe"), &probe, 1e6);
        row(&format!("{name}: blocking"), &blocking, 1e6);
        let medians = [&probe, &blocking].map(|times| quantile(times, 500).unwrap_or_default().as_secs_f64() * 1e6);
        println!("{:34}{:10.1}", format!("{name}: difference"), medians[0] - medians[1]);
    }

    println!("\ntime minus what the server held, ms    median      p95      p99      max    over 2 ms");
    for (delay, rounds) in [(20, 20), (150, 5)] {
        bench.handle.set_switches(Switches { delay: Duration::from_millis(delay), ..Switches::default() });
        let (probe, blocking) = bench.rounds(rounds, 20, Duration::ZERO)?;
        let held = quantile(&sorted(probe.held.clone()), 500).unwrap_or_default();
        println!("{delay} ms injected, {:.3} held (median)", held.as_secs_f64() * 1e3);
        row("  probe", &probe.beyond_held(), 1e3);
        row("  blocking", &blocking.beyond_held(), 1e3);
    }
    println!("\nload after: {}", load());
    Ok(())
}

struct Bench {
    handle: Handle,
    runtime: Runtime,
    channel: Option<UdpChannel>,
    query: Query,
    socket: UdpSocket,
    next_id: u16,
}

impl Bench {
    fn new(server: SocketAddr, handle: Handle) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let channel = Some(runtime.block_on(UdpChannel::connect(server))?);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let query = Query::authoritative(Name::parse(ZONE)?, RecordType::SOA);
        Ok(Self { handle, runtime, channel, query, socket, next_id: 0 })
    }

    /// The probe and the blocking loop in turns, `count` questions each; every other round the other one begins.
    fn rounds(&mut self, rounds: usize, count: usize, interval: Duration) -> Outcome<(Times, Times)> {
        let (mut probe, mut blocking) = (Times::default(), Times::default());
        for round in 0..rounds {
            for turn in 0..2 {
                self.handle.clear_log();
                let to = if (round + turn) % 2 == 0 {
                    probe.rtt.extend(self.probe(count, interval)?);
                    &mut probe
                } else {
                    blocking.rtt.extend(self.blocking(count, interval)?);
                    &mut blocking
                };
                to.held.extend(self.handle.log().iter().filter_map(mailzone_server::LogEntry::held));
            }
        }
        if probe.rtt.len() != probe.held.len() || blocking.rtt.len() != blocking.held.len() {
            return Err("the server saw other questions than were asked".into());
        }
        Ok((probe, blocking))
    }

    fn probe(&mut self, count: usize, interval: Duration) -> Outcome<Vec<Duration>> {
        let mut channel = self.channel.take().ok_or("an earlier round failed")?;
        let query = self.query.clone();
        // On a worker, where the program measures too.
        let task = self.runtime.spawn(async move {
            let mut times = Vec::with_capacity(count);
            if interval.is_zero() {
                // A tick of tokio's takes a millisecond at least.
                for _ in 0..count {
                    times.push(channel.ask(&query, PATIENCE).await?.rtt);
                }
            } else {
                let samples = sample(&mut channel, &query, count, interval, PATIENCE).await;
                times.extend(samples.iter().filter_map(|sample| sample.reply.rtt()));
            }
            Outcome::Ok((channel, times))
        });
        let (channel, times) = self.runtime.block_on(task)??;
        self.channel = Some(channel);
        if times.len() == count { Ok(times) } else { Err("answers were lost on loopback".into()) }
    }

    fn blocking(&mut self, count: usize, interval: Duration) -> Outcome<Vec<Duration>> {
        let mut times = Vec::with_capacity(count);
        let mut buffer = [0; 4096];
        for _ in 0..count {
            self.next_id = self.next_id.wrapping_add(1);
            let [high, low] = self.next_id.to_be_bytes();
            let question = soa_question(high, low);
            let sent = Instant::now();
            self.socket.send(&question)?;
            while self.socket.recv(&mut buffer)? < 12 || buffer[..2] != [high, low] {}
            times.push(sent.elapsed());
            thread::sleep(interval);
        }
        Ok(times)
    }
}

impl Times {
    /// What is in each time beyond what the server held, ascending.
    fn beyond_held(&self) -> Vec<Duration> {
        sorted(self.rtt.iter().zip(&self.held).map(|(rtt, held)| rtt.saturating_sub(*held)).collect())
    }
}

/// The server on a runtime and a thread of its own, for as long as the process lives.
fn start_server() -> Outcome<(SocketAddr, Handle)> {
    let origin = Name::parse(ZONE)?;
    let soa = parse_rdata_text(RecordType::SOA, "ns m 1 2 3 4 60", Some(&origin))?;
    let rrset = RRset::new(origin.clone(), RecordType::SOA, Ttl::from_secs(300), vec![soa.into()]);
    let zone = Zone::new(origin, vec![rrset], Ttl::ZERO)?;
    let (started, address) = mpsc::channel();
    thread::spawn(move || -> Outcome<()> {
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), vec![zone]).await?;
            started.send((server.local_addr(), server.handle()))?;
            std::future::pending().await
        })
    });
    Ok(address.recv()?)
}

/// The question of [`Bench::query`] in octets: the zone's SOA, with EDNS.
fn soa_question(high: u8, low: u8) -> Vec<u8> {
    let mut question = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in ZONE.split('.') {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 6, 0, 1]);
    question.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    question
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn row(name: &str, ascending: &[Duration], unit: f64) {
    let [median, p95, p99, max] =
        [500, 950, 990, 1000].map(|at| quantile(ascending, at).unwrap_or_default().as_secs_f64() * unit);
    let digits = if unit > 1e3 { 1 } else { 3 };
    let over = ascending.iter().filter(|time| **time > BOUND).count();
    println!(
        "{name:34}{median:10.digits$}{p95:9.digits$}{p99:9.digits$}{max:9.digits$}{over:8} of {}",
        ascending.len()
    );
}

/// The machine's load, where the system tells it.
fn load() -> String {
    let read: io::Result<String> = std::fs::read_to_string("/proc/loadavg");
    read.map_or_else(|_| "unknown".into(), |text| text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
