//! `sluice audit`.

use crate::{
    failure::Failure,
    file, manifests, output,
    source::{
        Finding,
        folder::{Folder, Scan},
    },
    told::{OwnPod, Told},
};
use clap::{Args, ValueEnum};
use serde::Serialize;
use sluice_crds::{Kind, ObjectName, core::IngressClass};
use sluice_translate::{
    Change, Settings, Translator,
    audit::{self, Totals},
};
use std::{fmt::Write, path::PathBuf, process::ExitCode};

/// Say what Ingresses that were written for ingress-nginx come to here.
///
/// Counts them, gives a verdict on each annotation, lists where behaviour surprises or is another one, and judges snippets
/// line by line. Values of annotations are left out. A folder that holds Ingresses alone is enough, as
/// `kubectl get ingress -A -o yaml` prints them; with the other objects of the cluster references are looked at too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice audit shop/
  kubectl get ingress,ingressclass,service -A -o yaml | sluice audit - --format markdown > audit.md
  sluice audit shop/ --format json | jq '.annotations[] | select(.effect == \"fails_closed\")'

Ingresses of class `nginx` (--ingress-class) count also where there is no IngressClass of that name.

Exit codes: 0 said, whatever there is to say; 1 the manifests cannot be read.")]
pub(crate) struct Audit {
    /// A folder of manifests, or a file; `-` reads standard input.
    #[arg(value_name = "PATH", required_unless_present = "cluster")]
    manifests: Option<PathBuf>,
    /// Read the objects of a Kubernetes API server once, in place of a folder: of the one that --kubeconfig names, or of the
    /// cluster in which this process runs.
    #[arg(long, conflicts_with = "manifests")]
    cluster: bool,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show the values of annotations, which may be secrets.
    #[arg(long)]
    show_values: bool,
    #[command(flatten)]
    own: OwnPod,
    #[command(flatten)]
    told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For tickets and wikis.
    Markdown,
}

/// What was read, and what it comes to.
#[derive(Debug, Serialize)]
struct Findings {
    /// The folder or file.
    source: String,
    /// What is wrong with files, which then hold less than was meant.
    files: Vec<String>,
    #[serde(flatten)]
    audit: audit::Audit,
}

/// A table under a title.
struct Section<const COLUMNS: usize> {
    title: &'static str,
    head: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl Audit {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let namespace = self.told.nginx.namespace();
        let mut settings = self.own.settings(&self.told, self.manifests.is_none())?;
        let (source, scan) = match &self.manifests {
            None => manifests::read_cluster(&self.told, &settings)?,
            Some(folder) if folder.is_dir() => {
                (folder.display().to_string(), manifests::scan(folder, namespace)?)
            }
            Some(file) => {
                let file = file::read(file)?;
                (file.name.to_string(), Folder::of_text(&file.name, &file.text, namespace))
            }
        };
        settings.classes.by_name |= !has_class(&scan, &settings);
        let mut translator = Translator::new(settings.clone());
        for change in scan.changes {
            translator.apply(change);
        }
        let mut translation = translator.translate();
        translation.reports = translation.reports.iter().cloned().chain(scan.duplicates).collect();
        let findings = Findings {
            source,
            files: scan.findings.iter().map(Finding::without_severity).collect(),
            audit: audit::audit(&settings, translator.store(), &translation, self.show_values),
        };
        output::print(&match self.format {
            Format::Json => serde_json::to_string_pretty(&findings)
                .map(|text| text + "\n")
                .map_err(|error| Failure::system(format!("the audit cannot be printed: {error}")))?,
            format => findings.print(format),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether somebody says whose Ingresses of the usual class are.
fn has_class(scan: &Scan, settings: &Settings) -> bool {
    let class = ObjectName {
        kind: IngressClass::KIND,
        namespace: String::new(),
        name: settings.classes.annotation.clone(),
    };
    scan.changes.iter().any(|change| matches!(change, Change::Put(held) if held.object().name() == class))
}

impl Findings {
    fn print(&self, format: Format) -> String {
        let mut out = match format {
            Format::Markdown => format!("# Ingresses in {}\n", cell(&self.source, format)),
            Format::Text | Format::Json => format!("Ingresses in {}\n", cell(&self.source, format)),
        };
        let files = self.files.iter().map(|file| [file.clone()]).collect();
        Section { title: "Files that are wrong", head: ["FILE"], rows: files }.print(&mut out, format);
        self.totals().print(&mut out, format);
        self.annotations().print(&mut out, format);
        self.behaviour().print(&mut out, format);
        self.snippets().print(&mut out, format);
        out
    }

    fn totals(&self) -> Section<2> {
        let Totals { ours, others, rejected, hosts, paths, canaries, with_tls, unresolved } =
            &self.audit.totals;
        let mut rows = vec![
            ["Ingresses".to_owned(), ours.to_string()],
            ["hosts".to_owned(), hosts.to_string()],
            ["paths".to_owned(), paths.to_string()],
            ["canaries".to_owned(), canaries.to_string()],
            ["with TLS".to_owned(), with_tls.to_string()],
        ];
        for (class, count) in others {
            let name = match class.as_str() {
                "" => "Ingresses without a class (--watch-ingress-without-class takes them)".to_owned(),
                class => format!("Ingresses of class {class}, which is not ours"),
            };
            rows.push([name, count.to_string()]);
        }
        if *rejected > 0 {
            rows.push(["Ingresses that cannot be read".to_owned(), rejected.to_string()]);
        }
        if *unresolved > 0 {
            let what = "references that were not looked at, as there is no Service";
            rows.push([what.to_owned(), unresolved.to_string()]);
        }
        Section { title: "Totals", head: ["WHAT", "COUNT"], rows }
    }

    fn annotations(&self) -> Section<4> {
        let rows = self.audit.annotations.iter().map(|each| {
            let values = each.values.iter().flatten().map(|(value, count)| format!("; {count} x {value}"));
            let verdict = each.verdict.clone() + &values.collect::<String>();
            let refused = if each.refused > 0 { each.refused.to_string() } else { String::new() };
            [each.name.clone(), each.objects.to_string(), refused, verdict]
        });
        let head = ["ANNOTATION", "OBJECTS", "REFUSED", "WHAT BECOMES OF IT"];
        Section { title: "Annotations", head, rows: rows.collect() }
    }

    fn behaviour(&self) -> Section<4> {
        let rows = self.audit.behaviour.iter().map(|each| {
            let place = match (&each.file, each.line) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                _ => String::new(),
            };
            let field = if each.field.is_empty() { String::new() } else { format!("{}: ", each.field) };
            [each.kind.to_string(), each.object.clone(), place, field + &each.message]
        });
        let head = ["KIND", "OBJECT", "PLACE", "WHAT THERE IS TO KNOW"];
        Section { title: "Behaviour to know about", head, rows: rows.collect() }
    }

    fn snippets(&self) -> Section<5> {
        let mut rows = Vec::new();
        for snippet in &self.audit.snippets {
            let (object, annotation) = (&snippet.object, &snippet.annotation);
            let mut row = |line: &str, directive: String, verdict: String| {
                rows.push([object.clone(), annotation.clone(), line.to_owned(), directive, verdict]);
            };
            row("", "all of it".to_owned(), snippet.verdict.clone());
            for each in &snippet.directives {
                let words = each.words.iter().flatten().map(|word| format!(" {word}"));
                let verdict = each.reason.clone().unwrap_or_else(|| "can be translated".to_owned());
                row(&each.line.to_string(), each.name.clone() + &words.collect::<String>(), verdict);
            }
        }
        let head = ["OBJECT", "ANNOTATION", "LINE", "DIRECTIVE", "WHAT BECOMES OF IT"];
        Section { title: "Snippets", head, rows }
    }
}

impl<const COLUMNS: usize> Section<COLUMNS> {
    /// Prints nothing where there are no rows.
    fn print(&self, out: &mut String, format: Format) {
        if self.rows.is_empty() {
            return;
        }
        let rows: Vec<[String; COLUMNS]> =
            self.rows.iter().map(|row| row.each_ref().map(|text| cell(text, format))).collect();
        let head = self.head.map(str::to_owned);
        if format == Format::Markdown {
            let rule = ["---"; COLUMNS].map(str::to_owned);
            let _ = writeln!(out, "\n## {}\n", self.title);
            for row in [&head, &rule].into_iter().chain(&rows) {
                let _ = writeln!(out, "| {} |", row.join(" | "));
            }
            return;
        }
        let _ = writeln!(out, "\n{}", self.title);
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            let cells = std::iter::once(&head).chain(&rows).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        });
        for row in std::iter::once(&head).chain(&rows) {
            let cells = row.iter().zip(widths).map(|(text, width)| format!("  {text:width$}"));
            let _ = writeln!(out, "{}", cells.collect::<String>().trim_end());
        }
    }
}

/// A text in one line that says nothing to terminals and ends no cell of a table.
fn cell(text: &str, format: Format) -> String {
    let mut cell = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => cell.extend(letter.escape_default()),
            '|' | '<' if format == Format::Markdown => cell.extend(['\\', letter]),
            letter => cell.push(letter),
        }
    }
    cell
}
