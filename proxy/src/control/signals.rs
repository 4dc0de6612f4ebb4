//! SIGTERM and SIGINT end, SIGHUP reads again.

use super::Command;
use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Turns signals into commands for as long as somebody takes them.
pub(crate) fn listen(commands: mpsc::Sender<Command>) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            let command = tokio::select! {
                Some(()) = terminate.recv() => Command::Signal(SignalKind::terminate().as_raw_value()),
                Some(()) = interrupt.recv() => Command::Signal(SignalKind::interrupt().as_raw_value()),
                Some(()) = hang_up.recv() => Command::Reload,
                else => return,
            };
            if commands.send(command).await.is_err() {
                return;
            }
        }
    })
}
