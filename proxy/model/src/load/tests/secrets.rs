//! Secrets are read and checked, and never shown.

use super::{Files, read};
use crate::{SecretContent, Source, load};
use std::fmt::Write;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nTm90IHJlYWxseS4=\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nTm90IHJlYWxseS4=\n-----END PRIVATE KEY-----\n";
/// What must never be seen.
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2hunter2";

fn say(certificate: &'static str, key: &'static str) -> String {
    let text =
        "secrets: [{ name: s, kind: { tls: { certificate: { file: c.pem }, key: { file: k.pem } } } }]";
    let files = Files([("c.pem", certificate), ("k.pem", key)].into());
    match load(&Source::new("f", text), &files) {
        Ok(_) => String::new(),
        Err(diagnostics) => {
            let mut said = String::new();
            for diagnostic in
                diagnostics.iter().filter(|diagnostic| diagnostic.severity == crate::Severity::Error)
            {
                let suggestion = diagnostic.suggestion.as_deref().unwrap_or_default();
                writeln!(said, "{}: {} / {suggestion}", diagnostic.path, diagnostic.message).unwrap();
            }
            said
        }
    }
}

#[test]
fn files_are_read_and_named() {
    let text = "secrets:
  - { name: a, kind: { tls: { certificate: { file: c.pem }, key: { file: k.pem } } } }
  - { name: b, kind: { ca: { file: c.pem } } }
  - { name: c, kind: { key: { inline: 0123456789abcdef0123456789abcdef } } }";
    let files = Files([("c.pem", CERTIFICATE), ("k.pem", KEY)].into());
    let loaded = load(&Source::new("f", text), &files).unwrap();
    assert_eq!(loaded.files, ["c.pem", "k.pem"]);
    let content = |name: &str| loaded.config.secret(name).unwrap().content().clone();
    assert_eq!(content("b"), SecretContent::Ca(CERTIFICATE.as_bytes().into()));
    assert_eq!(content("c"), SecretContent::Key(b"0123456789abcdef0123456789abcdef".as_slice().into()));
    assert!(matches!(content("a"), SecretContent::Tls { .. }));
}

#[test]
fn the_shape_of_pem_is_checked() {
    assert_eq!(say(CERTIFICATE, KEY), "");
    let at = "secrets[0].kind.tls";
    assert_eq!(
        say(KEY, CERTIFICATE),
        format!(
            "{at}.certificate: there is no certificate in it / it holds a private key: are `certificate` and `key` swapped?\n\
             {at}.key: there is no private key in it / it holds a certificate: are `certificate` and `key` swapped?\n"
        )
    );
    assert!(say("hello", KEY).contains("PEM begins with `-----BEGIN CERTIFICATE-----`"));
    assert!(say("-----BEGIN CERTIFICATE-----\nTm90IHJlYWxseS4=\n", KEY).contains("does not end"));
    assert!(say("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", KEY).contains("not base64"));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nTm90IHJlYWxseS4=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(say(CERTIFICATE, encrypted).contains("is encrypted"));
}

#[test]
fn a_missing_file_is_an_error_at_its_name() {
    let diagnostics = read("secrets: [{ name: s, kind: { key: { file: nowhere } } }]").unwrap_err();
    assert!(
        diagnostics.to_string().contains(
            "f.yaml:1:43: error: secrets[0].kind.key.file: cannot read `nowhere`: entity not found"
        ),
        "{diagnostics}"
    );
}

/// Every way to get a secret wrong that the tests could think of: nothing that is printed may hold it.
#[test]
fn secrets_are_never_printed() {
    let texts = [
        "secrets: [{ name: s, kind: { key: { inline: SECRET } } }]",
        "secrets: [{ name: s, kind: { key: SECRET } }]",
        "secrets: [{ name: s, kind: { key: { SECRET: 1 } } }]",
        "secrets: [{ name: s, kind: { key: { inline: 1, inline: SECRET, SECRET: 2, SECRET: 3 } } }]",
        "secrets: [{ name: s, kind: SECRET }]",
        "secrets: [{ name: s, kind: { SECRET: {} } }]",
        "secrets: [{ name: s, kind: { key: [SECRET] } }]",
        "secrets: [{ name: s, kind: { key: { inline: [SECRET] } } }]",
        "secrets: [{ name: s, kind: { key: { inline: { a: SECRET } } } }]",
        "secrets: [{ name: s, kind: { tls: SECRET } }]",
        "secrets: [{ name: s, kind: { tls: { certificate: SECRET, key: { inline: SECRET } } } }]",
        "secrets: SECRET",
        "secrets: [SECRET]",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: SECRET: x\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: \"SECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: |\n        SECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: |\nSECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n\t\tinline: SECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: *SECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: %SECRET\n",
        "secrets:\n  - name: s\n    kind:\n      key:\n        inline: !SECRET SECRET\n",
        "secert:\n  - { name: s, kind: { key: { inline: SECRET, x: SECRET } } }",
        "my_keys:\n  - { name: s, kind: { key: { inline: SECRET } } }",
        "{\"secrets\": [{\"name\": \"s\", \"kind\": {\"key\": {\"inlin\": \"SECRET\"}}}], \"x\": 1}",
        "listeners:\n  - name: l\n    tls: { key: { inline: SECRET }, certificates: { inline: SECRET } }\n",
        "clusters:\n  - name: l\n    protcol: http1\n    inline: SECRET\n",
    ];
    for text in texts {
        let text = text.replace("SECRET", SECRET);
        let source = Source::new("f", text.as_str());
        let printed = match load(&source, &crate::NoFiles) {
            Ok(loaded) => format!(
                "{}{}{loaded:?}{:?}{}",
                loaded.warnings,
                loaded.warnings.with_excerpts(&source),
                loaded.config.to_spec(),
                serde_json::to_string(&loaded.config.to_spec()).unwrap()
            ),
            Err(diagnostics) => format!("{diagnostics}{diagnostics:?}{}", diagnostics.with_excerpts(&source)),
        };
        assert!(!printed.contains("hunter2"), "{text}\n{printed}");
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}

#[test]
fn excerpts_show_the_line_where_nothing_is_secret() {
    let source = Source::new("f", "clusters:\n  - name: a\n    protcol: http1\nsecrets:\n  - nme: b\n");
    let diagnostics = load(&source, &crate::NoFiles).unwrap_err();
    assert_eq!(
        diagnostics.with_excerpts(&source).to_string(),
        "f:2:5: warning: clusters[0].endpoints: the cluster has no endpoints, so it answers 503\n\
         \u{20}2 |   - name: a\n\
         \u{20}  |     ^\n\
         f:3:5: error: clusters[0].protcol: unknown field `protcol`; did you mean `protocol`?\n\
         \u{20}3 |     protcol: http1\n\
         \u{20}  |     ^\n\
         f:5:5: error: secrets[0][\"?\"]: unknown field; did you mean `name`?\n\
         f:5:5: error: secrets[0]: field `kind` is missing"
    );
}
