//! Words and marks of an nginx configuration (`ngx_conf_read_token`).

use super::Refused;
use std::{iter::Peekable, str::Chars};

/// A piece of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word, without its quotes and with its escapes resolved. Variables stand in it as written.
    Word(String),
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// The pieces of a text, each with the line where it begins, from 1.
pub(crate) fn lex(text: &str) -> Result<Vec<(usize, Token)>, Refused> {
    let mut lexer = Lexer { rest: text.chars().peekable(), line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
}

impl Lexer<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn next(&mut self) -> Result<Option<(usize, Token)>, Refused> {
        loop {
            match self.rest.peek() {
                None => return Ok(None),
                Some('#') => while self.take().is_some_and(|c| c != '\n') {},
                Some(c) if c.is_ascii_whitespace() => {
                    self.take();
                }
                Some(_) => break,
            }
        }
        let line = self.line;
        let token = match self.rest.peek() {
            Some(';') => self.mark(Token::Semicolon),
            Some('{') => self.mark(Token::Open),
            Some('}') => self.mark(Token::Close),
            Some(quote @ ('"' | '\'')) => {
                let quote = *quote;
                self.take();
                Token::Word(self.quoted(quote, line)?)
            }
            _ => Token::Word(self.bare(line)?),
        };
        Ok(Some((line, token)))
    }

    fn mark(&mut self, token: Token) -> Token {
        self.take();
        token
    }

    /// To the closing quote, behind which a word must end; a `)` may follow, that of `if (...)`.
    fn quoted(&mut self, quote: char, line: usize) -> Result<String, Refused> {
        let mut word = String::new();
        loop {
            match self.take() {
                None => {
                    return Err(Refused {
                        line,
                        message: format!("the quote `{quote}` that begins here never ends"),
                    });
                }
                Some('\\') => self.escape(&mut word),
                Some(c) if c == quote => break,
                Some(c) => word.push(c),
            }
        }
        match self.rest.peek() {
            None | Some(';' | '{' | ')') => Ok(word),
            Some(c) if c.is_ascii_whitespace() => Ok(word),
            Some(c) => {
                let message = format!("unexpected `{}` right behind a closing quote", c.escape_default());
                Err(Refused { line: self.line, message })
            }
        }
    }

    /// To a space, `;` or `{`. The braces of `${name}` belong to the word.
    fn bare(&mut self, line: usize) -> Result<String, Refused> {
        let mut word = String::new();
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ';' => break,
                '{' if word.ends_with('$') => loop {
                    match self.take() {
                        None => {
                            let message = "the variable that begins with `${` never ends".to_owned();
                            return Err(Refused { line, message });
                        }
                        Some(c) => word.push(c),
                    }
                    if word.ends_with('}') {
                        break;
                    }
                },
                '{' => break,
                c if c.is_ascii_whitespace() => break,
                '\\' => {
                    self.take();
                    self.escape(&mut word);
                }
                c => {
                    self.take();
                    word.push(c);
                }
            }
        }
        Ok(word)
    }

    /// What stands behind a backslash. One that escapes nothing stays, as regular expressions want it.
    fn escape(&mut self, word: &mut String) {
        match self.rest.peek().copied() {
            Some(c @ ('"' | '\'' | '\\')) => {
                self.take();
                word.push(c);
            }
            Some(c @ ('t' | 'r' | 'n')) => {
                self.take();
                word.push(match c {
                    't' => '\t',
                    'r' => '\r',
                    _ => '\n',
                });
            }
            Some(c) => {
                self.take();
                word.push('\\');
                word.push(c);
            }
            None => word.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let shown = |token| match token {
            Token::Word(word) => word,
            Token::Semicolon => ";".to_owned(),
            Token::Open => "{".to_owned(),
            Token::Close => "}".to_owned(),
        };
        lex(text).unwrap().into_iter().map(|(_, token)| shown(token)).collect()
    }

    #[test]
    fn words_end_at_spaces_semicolons_and_braces() {
        assert_eq!(words("a  b;c{d;}"), ["a", "b", ";", "c", "{", "d", ";", "}"]);
        assert_eq!(words("a;# b;\nc;"), ["a", ";", "c", ";"]);
        assert_eq!(words("a b#c;"), ["a", "b#c", ";"], "a comment begins where a word could");
    }

    #[test]
    fn quotes_keep_spaces_and_marks_together() {
        assert_eq!(words(r#"set "a; {b}" 'c "d"';"#), ["set", "a; {b}", "c \"d\"", ";"]);
        assert_eq!(words(r#""a\"b\\c\nd" \d+\;e"#), ["a\"b\\c\nd", "\\d+\\;e"]);
        assert_eq!(words(r#"if ($a = "b") {"#), ["if", "($a", "=", "b", ")", "{"]);
        assert_eq!(words("x ${a}b;"), ["x", "${a}b", ";"]);
    }

    #[test]
    fn what_never_ends_is_refused_with_its_line() {
        assert_eq!(lex("a;\nb \"c\n;").unwrap_err().line, 2);
        assert_eq!(lex("a;\n${b").unwrap_err().line, 2);
        assert_eq!(
            lex("a\n'b'c;").unwrap_err().to_string(),
            "line 2: unexpected `c` right behind a closing quote"
        );
    }
}
