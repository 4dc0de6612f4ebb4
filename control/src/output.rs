//! Standard output and standard error, with readers that may go away.

use crate::failure::Failure;
use std::io::{self, ErrorKind, Write};

/// Writes a result to standard output. A reader that has seen enough (`sluice schema | head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::system(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something beside the result, as one line on standard error. If nobody can hear it, nothing is to be done.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr().lock(), "sluice: {message}");
}
