//! Manifests read once, for commands that say what would become of them.

use crate::{
    contenders,
    failure::Failure,
    file, output,
    source::{
        Finding,
        cluster::read_once,
        folder::{Folder, Scan},
    },
    told::{Served, Told},
};
use sluice_crds::{Manifest, manifest::EntryContent};
use sluice_model::{Config, Diagnostics, NoFiles, Source};
use sluice_translate::{Change, Held, Level, NamespacedName, Report, Settings, Translation, Translator};
use std::path::Path;

/// What a command was given to look at.
#[derive(Debug)]
pub(crate) enum Input {
    /// A configuration.
    Config(Source),
    /// Kubernetes objects.
    Manifests(Box<Manifests>),
}

/// Objects and what they come to.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// The folder or file.
    name: String,
    findings: Vec<Finding>,
    reports: Vec<Report>,
    objects: Vec<Held>,
    /// What stands before annotations of Ingresses.
    prefix: String,
    /// As it would be served.
    pub(crate) config: sluice_model::spec::Config,
}

impl Input {
    /// [`Input::read`] of what is served in this way.
    pub(crate) fn of(path: Option<&Path>, served: &Served) -> Result<Self, Failure> {
        Self::read(path, &served.told, |cluster| served.settings(cluster))
    }

    /// Reads a folder of manifests, or a file or standard input (`-`) that is one manifest or a configuration; without a path,
    /// a cluster. `settings` are those for objects of a cluster or of a folder.
    pub(crate) fn read(
        path: Option<&Path>,
        told: &Told,
        settings: impl Fn(bool) -> Result<Settings, Failure>,
    ) -> Result<Self, Failure> {
        let Some(path) = path else {
            let settings = settings(true)?;
            let (name, scan) = read_cluster(told, &settings)?;
            return Ok(Self::Manifests(Box::new(Manifests::of(name, scan, settings))));
        };
        let namespace = told.nginx.namespace();
        if path.is_dir() {
            let scan = scan(path, namespace)?;
            return Ok(Self::Manifests(Box::new(Manifests::of(
                path.display().to_string().trim_end_matches('/').to_owned(),
                scan,
                settings(false)?,
            ))));
        }
        let source = file::read(path)?;
        if !has_objects(&source.text) {
            return Ok(Self::Config(source));
        }
        let scan = Folder::of_text(&source.name, &source.text, namespace);
        Ok(Self::Manifests(Box::new(Manifests::of(source.name.to_string(), scan, settings(false)?))))
    }
}

/// Reads a folder of manifests once. One without any is an error.
pub(crate) fn scan(path: &Path, namespace: Option<String>) -> Result<Scan, Failure> {
    let name = path.display();
    let scan = Folder::new(path.to_owned(), namespace)
        .scan()
        .map_err(|error| Failure::configuration(format!("cannot read the manifests in {name}: {error}")))?;
    if scan.files == 0 && scan.findings.is_empty() {
        return Err(Failure::configuration(format!(
            "cannot read the configuration {name}: it is a folder, and there is no manifest (.yaml, .yml, .json) below it"
        )));
    }
    Ok(scan)
}

/// Reads a cluster once, as if it were a folder that is called like its API server.
pub(crate) fn read_cluster(told: &Told, settings: &Settings) -> Result<(String, Scan), Failure> {
    let pod = settings.pod.clone();
    let pod = pod.map(|name| NamespacedName { namespace: settings.pod_namespace.clone(), name });
    let (name, news) = read_once(told.cluster(pod), settings.clone()).map_err(Failure::configuration)?;
    let scan = Scan { changes: news.changes, findings: news.findings, ..Scan::default() };
    Ok((name, scan))
}

/// A configuration says nowhere what it is; a manifest does, if with a slip.
fn has_objects(text: &str) -> bool {
    Manifest::read(text).entries.iter().any(|entry| match &entry.content {
        EntryContent::Object(_) | EntryContent::Other { .. } => true,
        EntryContent::Invalid(problem) => !problem.path.steps().is_empty(),
    })
}

impl Manifests {
    fn of(name: String, scan: Scan, settings: Settings) -> Self {
        let prefix = settings.annotations_prefix.clone();
        let mut translator = Translator::new(settings);
        let mut objects = Vec::new();
        for change in scan.changes {
            if let Change::Put(held) = &change {
                objects.push(held.clone());
            }
            translator.apply(change);
        }
        let Translation { config, reports, .. } = translator.translate();
        let unclaimed = translator.unclaimed();
        let mut reports: Vec<Report> = reports
            .iter()
            .cloned()
            .chain(scan.duplicates)
            .chain(unclaimed)
            .chain(translator.unselected())
            .collect();
        reports.sort();
        Self { name, findings: scan.findings, reports, objects, prefix, config }
    }

    /// Objects that want a host and do not serve it as written, and why.
    pub(crate) fn contenders(&self, authority: &str) -> String {
        contenders::text(self.objects.iter(), &self.reports, authority, &self.prefix)
    }

    /// One line for each thing that is to be said.
    pub(crate) fn lines(&self) -> String {
        let findings = self.findings.iter().map(|finding| format!("{finding}\n"));
        let reports = self.reports.iter().map(|report| match &report.place {
            Some(place) => format!("{report} ({}:{})\n", place.file, place.line),
            None => format!("{report}\n"),
        });
        findings.chain(reports).collect()
    }

    /// How many things of this severity are to be said.
    pub(crate) fn count(&self, level: Level) -> usize {
        let findings = if level == Level::Error { self.findings.len() } else { 0 };
        findings + self.reports.iter().filter(|report| report.severity == level).count()
    }

    /// The validated configuration. A refusal is a defect of the translation.
    pub(crate) fn validate(&self) -> Result<Config, Diagnostics> {
        sluice_model::validate(&self.name, self.config.clone(), &NoFiles).map(|loaded| loaded.config)
    }

    /// The same for commands that go on with it; what is wrong is said on standard error.
    pub(crate) fn usable(&self) -> Result<Config, Failure> {
        for line in self.lines().lines() {
            output::note(line);
        }
        self.valid()
    }

    /// The same for commands that are about something else: only files that are wrong are named.
    pub(crate) fn usable_in_short(&self) -> Result<Config, Failure> {
        for finding in &self.findings {
            output::note(&finding.to_string());
        }
        if self.count(Level::Error) + self.count(Level::Warning) > 0 {
            output::note(&format!("{}; `sluice check` names all of it", self.summary()));
        }
        self.valid()
    }

    /// Whether some of it could not be read.
    pub(crate) fn is_partial(&self) -> bool {
        !self.findings.is_empty()
    }

    fn valid(&self) -> Result<Config, Failure> {
        self.validate().map_err(|found| {
            Failure::configuration(format!(
                "the translation of {} is refused, a defect of Sluice:\n{found}",
                self.name
            ))
        })
    }

    /// `shop: 1 error, 2 warnings (12 objects)`.
    pub(crate) fn summary(&self) -> String {
        let number = |count: usize, name: &str| match count {
            0 => None,
            1 => Some(format!("1 {name}")),
            number => Some(format!("{number} {name}s")),
        };
        let levels = [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Info, "remark")];
        let counts: Vec<String> =
            levels.into_iter().filter_map(|(level, name)| number(self.count(level), name)).collect();
        let counts = if counts.is_empty() { "ok".to_owned() } else { counts.join(", ") };
        let objects = number(self.objects.len(), "object");
        let objects = objects.unwrap_or_else(|| "no object of a kind that Sluice knows".to_owned());
        format!("{}: {counts} ({objects})", self.name)
    }
}
