//! Waiting for something to happen, and giving up loudly.

use std::{fmt::Display, future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before a test fails. Long, because machines that run tests are busy; a test that passes
/// never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often conditions are looked at.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// Waits until a condition holds.
///
/// # Panics
/// When it does not within [`PATIENCE`]; the message names `what`.
pub async fn eventually(what: impl Display, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(())).await;
}

/// Waits until there is a value, and returns it.
///
/// # Panics
/// When there is none within [`PATIENCE`]; the message names `what`.
pub async fn eventually_some<T>(what: impl Display, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came true: {what}");
        sleep(STEP).await;
    }
}

/// Waits for a future.
///
/// # Panics
/// When it takes longer than [`PATIENCE`]; the message names `what`.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("it took too long: {what}"))
}
