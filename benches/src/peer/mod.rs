//! Who is compared: how each is found, configured like in production, and started.

mod envoy;
mod haproxy;
mod nginx;
mod pingora;
mod sluice;

use crate::{
    certificate::Certificate,
    cores::Cores,
    machine,
    process::Process,
    row::{Load, Protocol, Row},
    upstream::Upstream,
};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Sluice,
    /// The same with its access log on.
    SluiceLogging,
    Haproxy,
    Nginx,
    Envoy,
    Pingora,
    Relay,
}

/// Every peer, in the order of the report.
pub(crate) const PEERS: [Peer; 7] =
    [Peer::Sluice, Peer::SluiceLogging, Peer::Haproxy, Peer::Nginx, Peer::Envoy, Peer::Pingora, Peer::Relay];

/// What a peer is configured for.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) row: &'a Row,
    /// Where clients without TLS come.
    pub(crate) plain: SocketAddr,
    /// Where clients with TLS come.
    pub(crate) secure: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) certificate: &'a Certificate,
    /// For its configuration and whatever else it writes.
    pub(crate) folder: &'a Path,
}

impl Scene<'_> {
    /// The server behind the peer.
    pub(crate) fn server(&self) -> SocketAddr {
        match self.row.upstream {
            Protocol::Http1 => self.upstream.http1,
            Protocol::Http2 => self.upstream.http2,
        }
    }

    /// Writes a file for the peer.
    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }
}

/// Where the programs are that no package installs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) sluice: PathBuf,
    pub(crate) envoy: PathBuf,
    pub(crate) pingora: PathBuf,
}

impl Peer {
    /// How the command line names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sluice => "sluice",
            Self::SluiceLogging => "sluice-log",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Pingora => "pingora",
            Self::Relay => "relay",
        }
    }

    /// What it says of its version; `None` where it is not installed.
    pub(crate) fn version(self, programs: &Programs) -> Option<String> {
        let asked = |program: &Path, argument: &str| {
            let there =
                Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
            there.is_ok().then(|| machine::output(&program.to_string_lossy(), &[argument]))
        };
        match self {
            Self::Sluice | Self::SluiceLogging => asked(&programs.sluice, "--version"),
            Self::Haproxy => asked(Path::new("haproxy"), "-v"),
            Self::Nginx => asked(Path::new("nginx"), "-v"),
            Self::Envoy => asked(&programs.envoy, "--version"),
            Self::Pingora => asked(&programs.pingora, "--version"),
            Self::Relay => Some("64 KiB buffers, this program".to_owned()),
        }
    }

    /// Why it cannot do a row's work at all.
    pub(crate) fn cannot(self, row: &Row) -> Option<&'static str> {
        let http2_upstream = row.upstream == Protocol::Http2;
        match self {
            Self::Relay
                if row.load.tls() || row.hosts > 1 || row.paths > 1 || row.threads > 1 || http2_upstream =>
            {
                Some("copies bytes only")
            }
            Self::Nginx
                if http2_upstream
                    && !matches!(row.load, Load::Streams { kind: crate::row::Streams::Grpc }) =>
            {
                Some("this version speaks HTTP/2 to gRPC servers only")
            }
            Self::Nginx if row.hosts > 10_000 => Some("takes about 80 KiB for each host"),
            Self::Pingora if row.load.tls() || row.hosts > 1 || row.paths > 1 || http2_upstream => {
                Some("the app in benches/pingora has neither TLS nor routes")
            }
            _ => None,
        }
    }

    /// Starts it on its cores and waits until it listens.
    pub(crate) fn start(
        self,
        scene: &Scene<'_>,
        programs: &Programs,
        cores: &Cores,
    ) -> Result<Process, String> {
        let mut command =
            self.command(scene, programs).map_err(|error| format!("its configuration: {error}"))?;
        let log = scene.folder.join("output");
        let output = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = output.map_err(|error| format!("{}: {error}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = cores
            .spawn_proxy(scene.row.threads, &mut command)
            .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
        let mut process = Process::new(child, log);
        process.listens(&[if scene.row.load.tls() { scene.secure } else { scene.plain }])?;
        Ok(process)
    }

    fn command(self, scene: &Scene<'_>, programs: &Programs) -> io::Result<Command> {
        match self {
            Self::Sluice => sluice::command(&programs.sluice, scene, false),
            Self::SluiceLogging => sluice::command(&programs.sluice, scene, true),
            Self::Haproxy => haproxy::command(scene),
            Self::Nginx => nginx::command(scene),
            Self::Envoy => envoy::command(&programs.envoy, scene),
            Self::Pingora => Ok(pingora::command(&programs.pingora, scene)),
            Self::Relay => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["relay", &scene.plain.to_string(), &scene.server().to_string()]);
                Ok(command)
            }
        }
    }
}

/// A port that nobody has now. The peers cannot be told to take any: somebody else may take it first, and the peer then says so.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// All of them, for `list`.
pub(crate) fn list() -> String {
    let mut text = "Peers:".to_owned();
    for peer in PEERS {
        let _ = write!(text, " {}", peer.name());
    }
    text
}
