//! Objects in, the model and reports out, compared with what was read and accepted before.
//!
//! A theme is `golden/THEME.yaml` and what it means, `golden/THEME.txt`. To accept what it means now, after reading it:
//! `SLUICE_UPDATE_GOLDEN=1 cargo test -p sluice-translate`.

use sluice_crds::{Manifest, manifest::EntryContent};
use sluice_model::spec::{Config, Route, VirtualHost};
use sluice_translate::{CertificateReader, Change, Held, Place, Settings, Store, Translation, Translator};
use std::{fmt::Write, fs, net::Ipv4Addr, path::Path};

/// Compares a theme, under settings that differ from those of a gateway on loopback which takes all Ingresses.
pub(crate) fn golden(theme: &str, adjust: impl Fn(&mut Settings)) {
    golden_as((theme, theme), adjust);
}

/// The same for the objects of a theme where they mean something else, which has a name of its own.
pub(crate) fn golden_as(theme: (&str, &str), adjust: impl Fn(&mut Settings)) {
    golden_of(theme, adjust, |_, _, translation| print(translation));
}

/// The same for something else that is made of the objects and their translation.
pub(crate) fn golden_of(
    (theme, accepted): (&str, &str),
    adjust: impl Fn(&mut Settings),
    print: impl Fn(&Settings, &Store, &Translation) -> String,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = fs::read_to_string(folder.join(format!("{theme}.yaml"))).unwrap();
    let mut settings = Settings { bind: Ipv4Addr::LOCALHOST.into(), ..Settings::default() };
    settings.classes.without_class = true;
    settings.certificates = CertificateReader(certificate_names);
    adjust(&mut settings);
    let changes = changes(&text);
    let (translator, translation) = translate(&settings, changes.iter().cloned());
    assert_eq!(
        translation,
        Translation { renewed: translation.renewed, ..translate(&settings, changes.into_iter().rev()).1 },
        "the order in which objects come makes a difference"
    );
    if let Err(error) = sluice_model::validate("golden", translation.config.clone(), &sluice_model::NoFiles) {
        panic!("the model refuses it:\n{error}");
    }
    let now = print(&settings, translator.store(), &translation);
    let path = folder.join(format!("{accepted}.txt"));
    if std::env::var_os("SLUICE_UPDATE_GOLDEN").is_some() {
        fs::write(path, now).unwrap();
    } else {
        let accepted = fs::read_to_string(path).unwrap_or_default();
        assert!(now == accepted, "{theme} means something else now:\n{now}");
    }
}

fn translate(settings: &Settings, changes: impl Iterator<Item = Change>) -> (Translator, Translation) {
    let mut translator = Translator::new(settings.clone());
    for change in changes {
        translator.apply(change);
    }
    let translation = translator.translate();
    (translator, translation)
}

fn changes(text: &str) -> Vec<Change> {
    let manifest = Manifest::read(text);
    assert!(manifest.malformed.is_empty(), "{:?}", manifest.malformed);
    let entries = manifest.entries.into_iter().zip(0..);
    let changes = entries.map(|(entry, order)| match entry.content {
        EntryContent::Object(object) => {
            let place = Place { file: "test.yaml".into(), line: entry.position.line };
            Change::Put(Held::new(object, Some(place), order))
        }
        other => panic!("{other:?}"),
    });
    changes.collect()
}

/// Stands in for what knows certificates: the one line of a block says who it is, of the key too.
fn certificate_names(certificate: &[u8], key: &[u8]) -> Result<Vec<String>, String> {
    const KNOWN: [(&str, &[&str]); 3] = [
        ("ZmFsbGJhY2s=", &[]),
        ("c2hvcA==", &["shop.example.com", "www.shop.example.com"]),
        ("d2lsZA==", &["*.example.com"]),
    ];
    let line = |pem: &[u8]| str::from_utf8(pem).ok().and_then(|text| text.lines().nth(1).map(str::to_owned));
    if line(certificate) != line(key) {
        return Err("its private key does not belong to its certificate".to_owned());
    }
    let names = KNOWN.iter().find(|(known, _)| line(key).is_some_and(|line| line == *known));
    let names = names.ok_or("its certificate cannot be used")?.1;
    Ok(names.iter().map(|name| (*name).to_owned()).collect())
}

/// One line for each listener, host, route, cluster, secret and report.
fn print(translation: &Translation) -> String {
    let Config { listeners, route_tables, clusters, secrets, .. } = &translation.config;
    let mut out = String::new();
    for listener in listeners {
        writeln!(out, "listener {}", json(listener)).unwrap();
    }
    for table in route_tables {
        writeln!(out, "table {}", table.name).unwrap();
        for host in &table.virtual_hosts {
            let VirtualHost { name, hosts, order, routes } = &**host;
            writeln!(out, "  host {name} {} {}", json(hosts), json(order)).unwrap();
            for route in routes {
                writeln!(out, "    {}", one_route(route)).unwrap();
            }
        }
    }
    for cluster in clusters {
        writeln!(out, "cluster {}", json(cluster)).unwrap();
    }
    for secret in secrets {
        writeln!(out, "secret {}", secret.name).unwrap();
    }
    for report in &*translation.reports {
        writeln!(out, "{} [{}]", report, report.reason).unwrap();
    }
    out
}

/// What it matches, what is done, and then whatever else it has.
fn one_route(route: &Route) -> String {
    let mut rest = serde_json::to_value(route).unwrap();
    let fields = rest.as_object_mut().unwrap();
    let mut take = |key| fields.remove(key).map_or_else(String::new, |value| value.to_string());
    let (matches, action, _) = (take("match"), take("action"), take("name"));
    format!("{}: {matches} -> {action} {rest}", route.name)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}
