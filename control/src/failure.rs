//! How a command fails: a sentence for the user and an exit code for scripts.

use crate::output;
use std::process::ExitCode;

/// Why a command ends without having done its work. The codes are listed in `sluice --help`.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The configuration is wrong or cannot be read.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The command line asks for something that makes no sense, in a way that clap cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// An address cannot be listened on.
    pub(crate) fn address(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// The system refused something else.
    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into() }
    }

    /// A code that somebody else has chosen.
    pub(crate) fn coded(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same, with a hint behind it.
    pub(crate) fn with_advice(self, advice: &str) -> Self {
        Self { message: self.message + advice, ..self }
    }

    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        output::note(&self.message);
        ExitCode::from(self.code)
    }
}
