//! The shape of PEM files (RFC 7468). Whether a certificate or key can be used is for the TLS crate to say.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a block claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Certificate,
    PrivateKey,
    EncryptedKey,
    Other,
}

/// The blocks of a file, in order. Text around them is ignored, as everybody does.
pub(super) fn blocks(content: &[u8]) -> Result<Vec<Block>, String> {
    let Ok(text) = std::str::from_utf8(content) else {
        return Err(
            "this is not PEM but binary data; convert it with `openssl ... -inform der -outform pem`"
                .to_owned(),
        );
    };
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|line| line.strip_suffix("-----")) {
            if open.is_some() {
                return Err("a PEM block begins inside another one".to_owned());
            }
            open = Some((label, String::new()));
        } else if let Some(label) = line.strip_prefix("-----END ").and_then(|line| line.strip_suffix("-----"))
        {
            match open.take() {
                Some((begun, body)) if begun == label => blocks.push(block(label, &body)?),
                _ => return Err("a PEM block ends that has not begun".to_owned()),
            }
        } else if let Some((_, body)) = &mut open {
            body.push_str(line);
        }
    }
    if open.is_some() {
        Err("a PEM block does not end: a part of the file is missing".to_owned())
    } else {
        Ok(blocks)
    }
}

fn block(label: &str, body: &str) -> Result<Block, String> {
    let old_encryption = body.starts_with("Proc-Type:");
    if !old_encryption && (body.is_empty() || STANDARD.decode(body).is_err()) {
        return Err("a PEM block holds what is not base64".to_owned());
    }
    Ok(match label {
        "CERTIFICATE" => Block::Certificate,
        "ENCRYPTED PRIVATE KEY" => Block::EncryptedKey,
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" if old_encryption => Block::EncryptedKey,
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Block::PrivateKey,
        _ => Block::Other,
    })
}
