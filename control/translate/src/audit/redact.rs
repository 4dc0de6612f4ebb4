//! Values of annotations may be secrets: passwords in snippets, tokens in URLs.

/// Whether they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Shown,
    Redacted,
}

impl Values {
    /// A message about an annotation. Values stand between backticks in it, and may hold backticks themselves: everything
    /// from the first to the last one is hidden.
    pub(super) fn in_message(self, message: &str) -> String {
        match (message.find('`'), message.rfind('`')) {
            (Some(first), Some(last)) if self == Self::Redacted && first < last => {
                format!("{}…{}", &message[..=first], &message[last..])
            }
            _ => message.to_owned(),
        }
    }

    /// A message about an annotation that could not be read, which begins with its place and may quote anything after it.
    pub(super) fn in_problem(self, message: &str) -> String {
        match message.split_once("]: ") {
            Some((place, _)) if self == Self::Redacted => {
                format!("{place}]: it cannot be read; `sluice check` shows why, and the value")
            }
            _ => message.to_owned(),
        }
    }

    /// A value, where it is shown.
    pub(super) fn of<T>(self, value: impl FnOnce() -> T) -> Option<T> {
        (self == Self::Shown).then(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_words_and_loses_what_it_quotes() {
        let message = "`a`b` is not a number: write `1`; the annotation is ignored";
        assert_eq!(Values::Redacted.in_message(message), "`…`; the annotation is ignored");
        assert_eq!(Values::Shown.in_message(message), message);
        assert_eq!(Values::Redacted.in_message("no value ` here"), "no value ` here");
        let problem = "metadata.annotations[\"x/y\"]: expected text, found the number 4711";
        assert!(
            Values::Redacted
                .in_problem(problem)
                .starts_with("metadata.annotations[\"x/y\"]: it cannot be read;")
        );
        assert_eq!(Values::Shown.in_problem(problem), problem);
    }
}
