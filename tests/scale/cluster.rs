//! The same objects in a Kubernetes API server, which is in the test's own process and has two of its threads.

use crate::{
    AT_ONCE,
    apps::{App, Apps},
    count,
    figures::Figures,
    probe::Probe,
    process::Cost,
};
use serde_json::Value;
use sluice_dsl::{ApiServer, gateway};
use tokio::time::Instant;

/// Takes a minute or two, and means something on a quiet machine with a release build only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; see README.md"]
async fn figures_of_an_api_server() {
    let count = count();
    let api = ApiServer::start().await;
    let apps = Apps::put(&api, count, 8).await;
    let mut figures = Figures::default();
    let seconds = |begun: Instant| format!("{:.1} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let recipe = gateway!().cluster(&api).argument("--access-log=off");
    let mut gateway = recipe.argument("--publish-status-address=203.0.113.7").start().await;
    let address = gateway.port(443).await;
    for app in &apps.asked {
        Probe::connect(address, app).await.ask().await;
    }
    figures.add("cold start to serving, from an API server", "30 s", seconds(begun));
    let cost = Cost(gateway.process_id());
    have_status(&api, 0..count).await;
    figures.add("status of all that was there, from the start", "", seconds(begun));
    let memory = format!("{:.0} MiB (most: {:.0} MiB)", cost.resident(), cost.peak());
    figures.add("resident memory", "400 MiB", memory);

    let before = cost.cpu();
    let begun = Instant::now();
    for number in count..count + AT_ONCE {
        api.put(&App::new(number).manifest());
    }
    have_status(&api, count..count + AT_ONCE).await;
    figures.add("1,000 Ingresses created at once: status of all after", "30 s", seconds(begun));
    let cpu = cost.cpu().saturating_sub(before).as_secs_f64();
    figures.add("CPU time for these", "", format!("{cpu:.1} s"));
    println!("\n{}", figures.table());
}

/// Waits until the Ingresses of these applications have an address.
async fn have_status(api: &ApiServer, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let has_address = |ingress: &Value| !ingress["status"]["loadBalancer"]["ingress"].is_null();
        api.becomes(&App::new(number).ingress(), has_address).await;
    }
}
