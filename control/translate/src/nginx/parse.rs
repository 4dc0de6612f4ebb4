//! Directives of an nginx configuration.

use super::{
    Refused,
    lex::{Token, lex},
};
use sluice_model::convert::brief;
use std::{iter::Peekable, vec::IntoIter};

/// A directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// Its name.
    pub(crate) name: String,
    /// The words behind it.
    pub(crate) words: Vec<String>,
    /// What stands in its braces, where it has some.
    pub(crate) block: Option<Vec<Directive>>,
}

/// Blocks in blocks beyond this are refused.
const DEEPEST: usize = 16;

/// The directives of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Directive>, Refused> {
    let mut tokens = lex(text)?.into_iter().peekable();
    let directives = block(&mut tokens, None, DEEPEST)?;
    Ok(directives)
}

type Tokens = Peekable<IntoIter<(usize, Token)>>;

/// The directives up to the closing brace, or the end where none was `opened`, in which line.
fn block(tokens: &mut Tokens, opened: Option<usize>, deepest: usize) -> Result<Vec<Directive>, Refused> {
    let mut directives = Vec::new();
    loop {
        match (tokens.next(), opened) {
            (None, None) => return Ok(directives),
            (None, Some(line)) => {
                return Err(Refused { line, message: "the block that begins here never ends".to_owned() });
            }
            (Some((_, Token::Close)), Some(_)) => return Ok(directives),
            (Some((line, Token::Close)), None) => {
                return Err(Refused { line, message: "unexpected `}`: no block is open".to_owned() });
            }
            (Some((line, Token::Semicolon)), _) => {
                return Err(Refused {
                    line,
                    message: "unexpected `;`: there is no directive before it".to_owned(),
                });
            }
            (Some((line, Token::Open)), _) => {
                return Err(Refused {
                    line,
                    message: "unexpected `{`: there is no directive before it".to_owned(),
                });
            }
            (Some((line, Token::Word(name))), _) => directives.push(directive(tokens, line, name, deepest)?),
        }
    }
}

fn directive(tokens: &mut Tokens, line: usize, name: String, deepest: usize) -> Result<Directive, Refused> {
    let mut words = Vec::new();
    loop {
        match tokens.next() {
            Some((_, Token::Word(word))) => words.push(word),
            Some((_, Token::Semicolon)) => return Ok(Directive { line, name, words, block: None }),
            Some((opened, Token::Open)) => {
                let Some(deepest) = deepest.checked_sub(1) else {
                    return Err(Refused { line: opened, message: "too many blocks in blocks".to_owned() });
                };
                let block = Some(block(tokens, Some(opened), deepest)?);
                return Ok(Directive { line, name, words, block });
            }
            Some((_, Token::Close)) | None => {
                return Err(Refused { line, message: format!("`{}` does not end in `;`", brief(&name)) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_have_words_and_blocks_and_lines() {
        let found = parse("a b 'c d';\n# x\nif ($y = \"z\") {\n  return 403;\n}\n").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].line, found[0].words.as_slice()),
            (1, ["b".to_owned(), "c d".to_owned()].as_slice())
        );
        let block = found[1].block.as_ref().unwrap();
        assert_eq!((found[1].line, block[0].line, block[0].name.as_str()), (3, 4, "return"));
    }

    #[test]
    fn unbalanced_text_is_refused_with_its_line() {
        let refused = |text| parse(text).unwrap_err().to_string();
        assert_eq!(refused("a;\n}"), "line 2: unexpected `}`: no block is open");
        assert_eq!(refused("a {\nb;"), "line 1: the block that begins here never ends");
        assert_eq!(refused("a b\n"), "line 1: `a` does not end in `;`");
        assert_eq!(refused("a { b }"), "line 1: `b` does not end in `;`");
        assert_eq!(refused(";"), "line 1: unexpected `;`: there is no directive before it");
        assert_eq!(refused(&"a {".repeat(1000)), "line 1: too many blocks in blocks");
    }
}
