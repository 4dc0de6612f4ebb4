//! The program of `tests/kubernetes`, built once: a later run with the same sources finds it.
//!
//! The first build fetches its modules (700 MB unpacked), takes eleven minutes of one core, and leaves 2 GB of Go's build cache
//! and a program of 107 MB; after a change of the sources it takes seconds.

use crate::required;
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kubernetes");

/// What the server says its version is: that of the module's `k8s.io/kubernetes`.
const VERSION: &str = "v1.34.4";

/// The program, or `None` where it cannot be had, after saying loudly why. Blocks, for minutes the first time.
///
/// `target` is the folder of cargo's own results; the program and Go's build cache are in its folder `kubernetes`.
///
/// # Panics
/// When there is a Go toolchain and the build fails, although `SLUICE_REQUIRE_TOOLS=1`.
pub(super) fn program(target: &Path) -> Option<PathBuf> {
    let version = match Command::new("go").arg("version").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => return unavailable(&String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!(
                "SKIPPED: no test saw a real Kubernetes API server: it is built with Go, which is not installed"
            );
            return None;
        }
        Err(error) => return unavailable(&error.to_string()),
    };
    match build(&target.join("kubernetes"), &version) {
        Ok(program) => Some(program),
        Err(error) => unavailable(&error.to_string()),
    }
}

fn unavailable(why: &str) -> Option<PathBuf> {
    assert!(!required(), "tests/kubernetes cannot be built, and SLUICE_REQUIRE_TOOLS=1 demands it: {why}");
    println!("SKIPPED: no test saw a real Kubernetes API server: tests/kubernetes cannot be built: {why}");
    None
}

fn build(folder: &Path, go_version: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    // Test binaries run one after the other or at once; whoever is first builds.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let program = folder.join(format!("kubernetes-{:016x}", fingerprint(go_version)?));
    if program.exists() {
        return Ok(program);
    }
    remove_programs(folder)?;
    let unfinished = folder.join("unfinished");
    let output = Command::new("go")
        .current_dir(MODULE)
        .args(["build", "-trimpath", "-buildvcs=false"])
        // Nobody debugs it, and what is not written need not be linked.
        .args(["-gcflags=all=-dwarf=false", "-ldflags"])
        .arg(format!("-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"))
        .arg("-o")
        .arg(&unfinished)
        .arg(".")
        // As the sums of the module say, with the Go that is there, and without a C compiler.
        .envs([
            ("GOFLAGS", "-mod=readonly"),
            ("GOTOOLCHAIN", "local"),
            ("GOWORK", "off"),
            ("CGO_ENABLED", "0"),
        ])
        .env("GOCACHE", folder.join("go"))
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    fs::rename(&unfinished, &program)?;
    Ok(program)
}

/// Of everything that the program is made from.
fn fingerprint(go_version: &[u8]) -> io::Result<u64> {
    let mut sources: Vec<PathBuf> =
        fs::read_dir(MODULE)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    sources.sort();
    let mut hasher = DefaultHasher::new();
    (go_version, VERSION, include_str!("build.rs")).hash(&mut hasher);
    for source in sources.iter().filter(|source| source.is_file()) {
        (source.file_name(), fs::read(source)?).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Those of earlier sources; each has 100 MB.
fn remove_programs(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("kubernetes-") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
