//! A gateway with very many objects. See README.md for the figures and how to take them.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are shown")]
#![allow(unreachable_pub, missing_docs, reason = "nobody else uses what is in here")]

mod apps;
mod cluster;
mod figures;
mod probe;
mod process;

use apps::{App, Apps};
use figures::{Figures, Spread};
use probe::Probe;
use process::Cost;
use sluice_dsl::{Gateway, Http1, PATIENCE, Request, gateway};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, interval, sleep};

/// Changes of each kind that are made one at a time.
const SINGLE_CHANGES: usize = 200;
/// How long loads last.
const LOAD: Duration = Duration::from_secs(20);
/// Ingresses that are created at once.
const AT_ONCE: usize = 1000;

#[tokio::test]
async fn a_change_of_one_application_among_many_makes_one_host_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut apps = Apps::write(folder.path(), 300, 2).await;
    let mut gateway = start(folder.path()).await;
    let address = gateway.port(443).await;
    let mut app = apps.asked.remove(1);
    let mut probe = Probe::connect(address, &app).await;
    assert_eq!(probe.ask().await.step, 0);

    let before = renewed(&gateway).await;
    app.endpoints.remove(0);
    let left = app.endpoints[0].ip();
    app.write(folder.path());
    gateway.proxy().stat_becomes(UNITS, &[], |units| units as u64 > before).await;
    assert_eq!(renewed(&gateway).await, before + 1, "an endpoint changed");
    probe.until("only one endpoint is left", |seen| seen.endpoint == left).await;

    app.step = 1;
    app.write(folder.path());
    probe.until("the route changed", |seen| seen.step == 1).await;
    assert_eq!(renewed(&gateway).await, before + 2, "a route changed");

    let new = App::new(300);
    new.write(folder.path());
    gateway.until("a new host", &Request::get("/").host(&new.host()), |reply| reply.status != 404).await;
    assert_eq!(renewed(&gateway).await, before + 3, "a host came");
}

/// Takes a few minutes, and means something on a quiet machine with a release build only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; see README.md"]
async fn figures() {
    let count = count();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut apps = Apps::write(folder.path(), count, 8).await;
    let mut figures = Figures::default();

    let begun = Instant::now();
    let mut gateway = start(folder.path()).await;
    let address = gateway.port(443).await;
    let mut probes = Vec::new();
    for app in &apps.asked {
        let mut probe = Probe::connect(address, app).await;
        probe.ask().await;
        probes.push(probe);
    }
    figures.add("cold start to serving", "15 s", format!("{:.1} s", begun.elapsed().as_secs_f64()));
    let cost = Cost(gateway.process_id());
    let memory = || format!("{:.0} MiB (most: {:.0} MiB)", cost.resident(), cost.peak());
    figures.add("resident memory", "400 MiB", memory());
    sleep(Duration::from_secs(2)).await;
    figures.add("CPU, idle", "1 % of a core", share(cost, sleep(LOAD)).await);

    let mut spread = Spread::default();
    for turn in 0..SINGLE_CHANGES {
        let which = turn % probes.len();
        let app = &mut apps.asked[which];
        app.step += 1;
        let begun = Instant::now();
        app.write(folder.path());
        let step = app.step;
        spread.add(probes[which].until("a route changed", |seen| seen.step == step).await - begun);
        sleep(Duration::from_millis(100)).await;
    }
    figures.add("a route changes, one at a time: seen after", "p99 50 ms", spread);

    let mut spread = Spread::default();
    let pairs: Vec<_> = apps.asked.iter().map(|app| app.endpoints.clone()).collect();
    for turn in 0..SINGLE_CHANGES {
        let which = turn % probes.len();
        let endpoint = pairs[which][turn / probes.len() % 2];
        apps.asked[which].endpoints = vec![endpoint];
        let begun = Instant::now();
        apps.asked[which].write(folder.path());
        let seen = probes[which].until("an endpoint changed", |seen| seen.endpoint == endpoint.ip()).await;
        spread.add(seen - begun);
        sleep(Duration::from_millis(100)).await;
    }
    figures.add("an endpoint changes, one at a time: seen after", "p99 50 ms", spread);

    let churn = async {
        let mut pace = interval(Duration::from_millis(100));
        let end = Instant::now() + LOAD;
        let mut turn = 0;
        while Instant::now() < end {
            pace.tick().await;
            let which = turn % pairs.len();
            apps.asked[which].endpoints = vec![pairs[which][turn / pairs.len() % 2]];
            apps.asked[which].write(folder.path());
            turn += 1;
        }
    };
    figures.add("CPU, endpoints change 10 times a second", "5 % of a core", share(cost, churn).await);

    let (seen, cpu) = storm(cost, &mut apps.asked, &mut probes, folder.path()).await;
    figures.add("100 routes change a second: seen after", "p99 300 ms", seen);
    figures.add("CPU meanwhile, with the requests that look", "", cpu);

    let new: Vec<App> = (count..count + AT_ONCE).map(App::new).collect();
    let begun = Instant::now();
    for app in &new {
        app.write(folder.path());
    }
    all_served(&mut gateway, &new).await;
    let took = format!("{:.1} s", begun.elapsed().as_secs_f64());
    figures.add("1,000 Ingresses created at once: all served after", "5 s", took);
    figures.add("resident memory at the end", "", memory());
    println!("\n{}", figures.table());
}

/// A hundred routes change a second, while clients look at them: how long each change took to be seen, and what it cost.
async fn storm(cost: Cost, apps: &mut [App], probes: &mut [Probe], folder: &Path) -> (Spread, String) {
    let before = (cost.cpu(), Instant::now());
    let (mut written, mut looks) = (Vec::new(), Vec::new());
    let last = apps.iter().map(|app| app.step).max().unwrap_or_default() + 100 * LOAD.as_secs() as usize;
    for app in apps.iter_mut() {
        app.step = last - 100 * LOAD.as_secs() as usize;
    }
    let count = probes.len();
    for (which, probe) in probes.iter_mut().enumerate() {
        looks.push(async move {
            // The last change of each: the one whose turn is the last of its kind.
            let mut seen = Vec::new();
            let deadline = Instant::now() + LOAD + PATIENCE;
            let mut pace = interval(Duration::from_millis(4));
            loop {
                pace.tick().await;
                let step = probe.ask().await.step;
                let now = Instant::now();
                if seen.last().is_none_or(|(known, _)| *known != step) {
                    seen.push((step, now));
                }
                if step + count > last {
                    return (which, seen);
                }
                assert!(now < deadline, "step {step} of {last} is the last that was seen");
            }
        });
    }
    let write = async {
        let mut pace = interval(Duration::from_millis(10));
        for step in apps[0].step + 1..=last {
            pace.tick().await;
            let which = step % apps.len();
            apps[which].step = step;
            written.push((which, step, Instant::now()));
            apps[which].write(folder);
        }
    };
    let (seen, ()) = tokio::join!(futures_util::future::join_all(looks), write);
    let cpu = percent(cost.cpu().saturating_sub(before.0), before.1.elapsed());
    let mut spread = Spread::default();
    for (which, step, begun) in written {
        let (_, looks) = &seen[which];
        let first = looks.iter().find(|(known, _)| *known >= step).expect("the last change was seen");
        spread.add(first.1 - begun);
    }
    (spread, cpu)
}

/// Applications that are measured.
fn count() -> usize {
    std::env::var("SLUICE_SCALE_APPS").map_or(10_000, |text| text.parse().expect("a number"))
}

async fn start(folder: &Path) -> Gateway {
    gateway!().folder(folder).argument("--access-log=off").start().await
}

const UNITS: &str = "sluice_translation_units_total";

async fn renewed(gateway: &Gateway) -> u64 {
    gateway.proxy().stat(UNITS, &[]).await as u64
}

async fn all_served(gateway: &mut Gateway, apps: &[App]) {
    let deadline = Instant::now() + PATIENCE;
    let mut connection = Http1::connect(gateway.port(80).await).await;
    for app in apps {
        // Nobody listens at its endpoints, and the gateway says so as soon as it knows them.
        while connection.send(&Request::get("/").host(&app.host())).await.status == 404 {
            assert!(Instant::now() < deadline, "{} is not served", app.host());
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// CPU time in the meantime.
async fn share(cost: Cost, meanwhile: impl Future<Output = ()>) -> String {
    let (before, begun) = (cost.cpu(), Instant::now());
    meanwhile.await;
    percent(cost.cpu().saturating_sub(before), begun.elapsed())
}

fn percent(cpu: Duration, wall: Duration) -> String {
    format!("{:.1} %", 100.0 * cpu.as_secs_f64() / wall.as_secs_f64())
}
