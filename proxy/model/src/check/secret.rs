//! Secrets: their content is read here, and its shape checked. No message quotes it.

use super::{
    At, Context,
    before::Before,
    names,
    pem::{self, Block},
};
use crate::{
    MAX_FILE_BYTES, ReadFile, Secret, SecretContent,
    convert::brief,
    spec::{self, DataSource, SecretKind},
};
use std::sync::Arc;

/// The secrets that are in order, and the files that were read.
pub(super) fn check(
    cx: &mut Context<'_>,
    config: &spec::Config,
    root: At<'_>,
    files: &dyn ReadFile,
) -> (Vec<Arc<Secret>>, Vec<String>) {
    let all = root.key("secrets");
    if !cx.before.as_ref().is_some_and(Before::same_secret_names) {
        names::unique(cx, all, "secret", config.secrets.iter().map(|secret| &*secret.name));
    }
    let mut reader = Reader { files, read: Vec::new() };
    let mut secrets = Vec::with_capacity(config.secrets.len());
    for (index, secret) in config.secrets.iter().enumerate() {
        if let Some(known) = cx.before.as_ref().and_then(|before| before.secret(index)) {
            secrets.push(Arc::clone(known));
            continue;
        }
        let at = all.index(index);
        let at = at.key("kind");
        if let Some(content) = content(cx, &mut reader, &secret.kind, at) {
            secrets.push(Arc::new(Secret::new(Arc::clone(secret), content)));
        }
    }
    reader.read.sort_unstable();
    reader.read.dedup();
    (secrets, reader.read)
}

struct Reader<'a> {
    files: &'a dyn ReadFile,
    read: Vec<String>,
}

fn content(
    cx: &mut Context<'_>,
    reader: &mut Reader<'_>,
    kind: &SecretKind,
    at: At<'_>,
) -> Option<SecretContent> {
    match kind {
        SecretKind::Tls(tls) => {
            let at = at.key("tls");
            let certificate = bytes(cx, reader, &tls.certificate, at.key("certificate"));
            let key = bytes(cx, reader, &tls.key, at.key("key"));
            if let Some(certificate) = &certificate {
                certificates(cx, certificate, at.key("certificate"));
            }
            if let Some(key) = &key {
                private_key(cx, key, at.key("key"));
            }
            Some(SecretContent::Tls { certificate_pem: certificate?, key_pem: key? })
        }
        SecretKind::Ca(source) => {
            let anchors = bytes(cx, reader, source, at.key("ca"))?;
            certificates(cx, &anchors, at.key("ca"));
            Some(SecretContent::Ca(anchors))
        }
        SecretKind::Key(source) => {
            let key = bytes(cx, reader, source, at.key("key"))?;
            if key.len() < SecretContent::MIN_KEY_BYTES {
                let message = format!(
                    "the key has {} bytes; it needs at least {}",
                    key.len(),
                    SecretContent::MIN_KEY_BYTES
                );
                cx.error(at.key("key"), message).suggest("make one with `openssl rand -hex 32`");
            }
            Some(SecretContent::Key(key))
        }
    }
}

fn bytes(
    cx: &mut Context<'_>,
    reader: &mut Reader<'_>,
    source: &DataSource,
    at: At<'_>,
) -> Option<Arc<[u8]>> {
    match source {
        DataSource::Inline(text) => Some(Arc::clone(text).into()),
        DataSource::File(path) => {
            let at = at.key("file");
            if path.is_empty() {
                cx.error(at, "a file needs a name");
                return None;
            }
            if path.contains("-----BEGIN") {
                cx.error(at, "the content stands where the name of a file should")
                    .suggest("write it under `inline`");
                return None;
            }
            reader.read.push(path.clone());
            match reader.files.read(path) {
                Ok(bytes) if bytes.len() > MAX_FILE_BYTES => {
                    cx.error(at, format!("`{}` is larger than {MAX_FILE_BYTES} bytes", brief(path)));
                    None
                }
                Ok(bytes) => Some(bytes.into()),
                Err(error) => {
                    cx.error(at, format!("cannot read `{}`: {error}", brief(path)));
                    None
                }
            }
        }
    }
}

fn certificates(cx: &mut Context<'_>, content: &[u8], at: At<'_>) {
    let blocks = match pem::blocks(content) {
        Ok(blocks) => blocks,
        Err(message) => {
            cx.error(at, message);
            return;
        }
    };
    if !blocks.contains(&Block::Certificate) {
        let finding = cx.error(at, "there is no certificate in it");
        if blocks.contains(&Block::PrivateKey) {
            finding.suggest("it holds a private key: are `certificate` and `key` swapped?");
        } else {
            finding.suggest("PEM begins with `-----BEGIN CERTIFICATE-----`");
        }
    }
}

fn private_key(cx: &mut Context<'_>, content: &[u8], at: At<'_>) {
    let blocks = match pem::blocks(content) {
        Ok(blocks) => blocks,
        Err(message) => {
            cx.error(at, message);
            return;
        }
    };
    match blocks.iter().filter(|block| **block == Block::PrivateKey).count() {
        1 => {}
        0 => {
            if blocks.contains(&Block::EncryptedKey) {
                let message = "the private key is encrypted, and there is nobody to ask for the password";
                cx.error(at, message).suggest("decrypt it with `openssl pkey`");
                return;
            }
            let finding = cx.error(at, "there is no private key in it");
            if blocks.contains(&Block::Certificate) {
                finding.suggest("it holds a certificate: are `certificate` and `key` swapped?");
            } else {
                finding.suggest("PEM begins with `-----BEGIN PRIVATE KEY-----`");
            }
        }
        several => {
            cx.warning(at, format!("there are {several} private keys in it; the first one counts"));
        }
    }
}
