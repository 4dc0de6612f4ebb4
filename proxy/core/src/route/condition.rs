//! The conditions of a match besides its path.

use super::{
    RequestView,
    pattern::{Pattern, PatternCaches},
};
use memchr::memmem::Finder;
use sluice_filter::Fields;
use sluice_model::{
    spec::{self, PseudoHeader, RegexAnchor, Scheme, ValueMatch},
    value::Cidr,
};
use std::fmt;

/// One condition; all of a match's conditions have to hold. They are asked in the order cheap to dear.
#[derive(Debug)]
pub(crate) enum Condition {
    Port(u16),
    Scheme(Scheme),
    Method(Box<[Box<str>]>),
    MethodLike(ValueTest),
    Source(Box<[Cidr]>),
    Header(Named),
    Cookie(Named),
    Query(Named),
    Authority(ValueTest),
    Pseudo(PseudoHeader, Named),
}

/// A condition on a value that has a name.
#[derive(Debug)]
pub(crate) struct Named {
    name: Box<str>,
    test: ValueTest,
    invert: bool,
    missing_as_empty: bool,
}

/// What is asked of a value.
#[derive(Debug)]
pub(crate) struct ValueTest {
    kind: Kind,
    ignore_case: bool,
}

#[derive(Debug)]
enum Kind {
    Present,
    Absent,
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>, Box<Finder<'static>>),
    Regex(Box<str>, Pattern),
}

/// Memory that conditions write on.
#[derive(Debug, Default)]
pub(crate) struct ValueScratch {
    value: Vec<u8>,
    folded: Vec<u8>,
}

impl ValueScratch {
    /// A buffer to look at one value in.
    pub(crate) fn value_mut(&mut self) -> &mut Vec<u8> {
        &mut self.value
    }
}

// === impl Condition ===

impl Condition {
    /// The conditions of a match, cheap ones first.
    pub(crate) fn compile(matching: &spec::RouteMatch) -> Box<[Self]> {
        let mut all = Vec::new();
        all.extend(matching.port.map(Self::Port));
        all.extend(matching.scheme.map(Self::Scheme));
        if !matching.methods.is_empty() {
            all.push(Self::Method(matching.methods.iter().map(|method| method.as_str().into()).collect()));
        }
        all.extend(matching.method.iter().map(|value| Self::MethodLike(ValueTest::new(value, false))));
        if !matching.source.is_empty() {
            all.push(Self::Source(matching.source.as_slice().into()));
        }
        all.extend(matching.headers.iter().map(|header| {
            Self::Header(Named {
                name: header.name.as_str().into(),
                test: ValueTest::new(&header.value, header.ignore_case),
                invert: header.invert,
                missing_as_empty: header.missing_as_empty,
            })
        }));
        let named = |name: &str, value, invert| Named {
            name: name.into(),
            test: ValueTest::new(value, false),
            invert,
            missing_as_empty: false,
        };
        all.extend(matching.cookies.iter().map(|c| Self::Cookie(named(&c.name, &c.value, c.invert))));
        all.extend(matching.query.iter().map(|q| Self::Query(named(&q.name, &q.value, q.invert))));
        all.extend(matching.authority.iter().map(|value| Self::Authority(ValueTest::new(value, true))));
        all.extend(matching.pseudo_headers.iter().map(|pseudo| {
            let named = Named {
                name: pseudo.name.as_str().into(),
                test: ValueTest::new(&pseudo.value, pseudo.name == PseudoHeader::Authority),
                invert: pseudo.invert,
                missing_as_empty: false,
            };
            Self::Pseudo(pseudo.name, named)
        }));
        all.into()
    }

    pub(crate) fn holds<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        patterns: &mut PatternCaches,
        scratch: &mut ValueScratch,
    ) -> bool {
        match self {
            Self::Port(port) => *port == request.port,
            Self::Scheme(scheme) => *scheme == request.scheme,
            Self::Method(methods) => methods.iter().any(|method| **method == *request.method),
            Self::MethodLike(test) => {
                test.holds(Some(request.method.as_bytes()), patterns, &mut scratch.folded)
            }
            Self::Source(blocks) => blocks.iter().any(|block| block.contains(request.source)),
            Self::Header(named) => named.header_holds(request, patterns, scratch),
            Self::Cookie(named) => {
                let ValueScratch { value, folded } = scratch;
                let found = cookie(request.fields, &named.name, value);
                named.holds(found.then_some(value.as_slice()), patterns, folded)
            }
            Self::Query(named) => {
                let value = query_value(request.query.unwrap_or_default(), &named.name);
                named.holds(value.map(str::as_bytes), patterns, &mut scratch.folded)
            }
            Self::Authority(test) => {
                let authority = Some(request.authority.as_bytes()).filter(|authority| !authority.is_empty());
                test.holds(authority, patterns, &mut scratch.folded)
            }
            Self::Pseudo(part, named) => {
                let value = match part {
                    PseudoHeader::Method => Some(request.method.as_bytes()),
                    PseudoHeader::Scheme => Some(request.scheme.as_str().as_bytes()),
                    PseudoHeader::Authority => {
                        Some(request.authority.as_bytes()).filter(|authority| !authority.is_empty())
                    }
                    PseudoHeader::Path => match request.query {
                        None => Some(request.path.as_bytes()),
                        Some(query) => {
                            let whole = &mut scratch.value;
                            whole.clear();
                            whole.extend_from_slice(request.path.as_bytes());
                            whole.push(b'?');
                            whole.extend_from_slice(query.as_bytes());
                            Some(whole.as_slice())
                        }
                    },
                };
                named.holds(value, patterns, &mut scratch.folded)
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(out, "port {port}"),
            Self::Scheme(scheme) => write!(out, "scheme {}", scheme.as_str()),
            Self::Method(methods) => write!(out, "method {}", methods.join(" or ")),
            Self::MethodLike(test) => write!(out, "method {test}"),
            Self::Source(blocks) => {
                out.write_str("source ")?;
                for (at, block) in blocks.iter().enumerate() {
                    write!(out, "{}{block}", if at > 0 { " or " } else { "" })?;
                }
                Ok(())
            }
            Self::Header(named) => write!(out, "header {named}"),
            Self::Cookie(named) => write!(out, "cookie {named}"),
            Self::Query(named) => write!(out, "query {named}"),
            Self::Authority(test) => write!(out, "authority {test}"),
            Self::Pseudo(_, named) => write!(out, "pseudo-header {named}"),
        }
    }
}

// === impl Named ===

impl Named {
    /// Repeated fields are joined with `,` (cookies with `; `); an exact value may also be any single one of them.
    fn header_holds<F: Fields + ?Sized>(
        &self,
        request: &RequestView<'_, F>,
        patterns: &mut PatternCaches,
        scratch: &mut ValueScratch,
    ) -> bool {
        // HTTP/2 requests have no `host` field; the authority is what it would say.
        if &*self.name == "host" {
            let host = Some(request.authority.as_bytes()).filter(|host| !host.is_empty());
            return self.holds(host, patterns, &mut scratch.folded);
        }
        let separator: &[u8] = if &*self.name == "cookie" { b"; " } else { b"," };
        let mut count = 0;
        let mut single = false;
        scratch.value.clear();
        request.fields.each_value(&self.name, &mut |value| {
            if count > 0 {
                scratch.value.extend_from_slice(separator);
            }
            scratch.value.extend_from_slice(value);
            count += 1;
            single |= self.test.is_exactly(value);
        });
        if single {
            return !self.invert;
        }
        self.holds((count > 0).then_some(scratch.value.as_slice()), patterns, &mut scratch.folded)
    }

    fn holds(&self, value: Option<&[u8]>, patterns: &mut PatternCaches, folded: &mut Vec<u8>) -> bool {
        let value = if self.missing_as_empty { value.or(Some(b"")) } else { value };
        self.test.holds(value, patterns, folded) != self.invert
    }
}

impl fmt::Display for Named {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` {}{}", self.name, if self.invert { "not " } else { "" }, self.test)
    }
}

// === impl ValueTest ===

impl ValueTest {
    fn new(value: &ValueMatch, ignore_case: bool) -> Self {
        let text = |text: &str| -> Box<str> {
            if ignore_case { text.to_ascii_lowercase().into() } else { text.into() }
        };
        let kind = match value {
            ValueMatch::Present => Kind::Present,
            ValueMatch::Absent => Kind::Absent,
            ValueMatch::Exact(value) => Kind::Exact(text(value)),
            ValueMatch::Prefix(value) => Kind::Prefix(text(value)),
            ValueMatch::Suffix(value) => Kind::Suffix(text(value)),
            ValueMatch::Contains(value) => {
                let value = text(value);
                let finder = Finder::new(value.as_bytes()).into_owned();
                Kind::Contains(value, Box::new(finder))
            }
            ValueMatch::Regex(regex) => Kind::Regex(
                regex.as_str().into(),
                Pattern::new(regex.as_str(), RegexAnchor::Full, ignore_case),
            ),
        };
        Self { kind, ignore_case }
    }

    fn is_exactly(&self, value: &[u8]) -> bool {
        match &self.kind {
            Kind::Exact(exact) if self.ignore_case => exact.as_bytes().eq_ignore_ascii_case(value),
            Kind::Exact(exact) => exact.as_bytes() == value,
            _ => false,
        }
    }

    fn holds(&self, value: Option<&[u8]>, patterns: &mut PatternCaches, folded: &mut Vec<u8>) -> bool {
        let Some(mut value) = value else { return matches!(self.kind, Kind::Absent) };
        if self.ignore_case && !matches!(self.kind, Kind::Regex(..) | Kind::Present | Kind::Absent) {
            folded.clear();
            folded.extend_from_slice(value);
            folded.make_ascii_lowercase();
            value = folded;
        }
        match &self.kind {
            Kind::Present => true,
            Kind::Absent => false,
            Kind::Exact(exact) => exact.as_bytes() == value,
            Kind::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Kind::Suffix(suffix) => value.ends_with(suffix.as_bytes()),
            Kind::Contains(_, finder) => finder.find(value).is_some(),
            Kind::Regex(_, pattern) => pattern.is_match(value, patterns),
        }
    }
}

impl fmt::Display for ValueTest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Present => out.write_str("present"),
            Kind::Absent => out.write_str("absent"),
            Kind::Exact(value) => write!(out, "exactly `{value}`"),
            Kind::Prefix(value) => write!(out, "beginning with `{value}`"),
            Kind::Suffix(value) => write!(out, "ending with `{value}`"),
            Kind::Contains(value, _) => write!(out, "containing `{value}`"),
            Kind::Regex(value, _) => write!(out, "matching `{value}`"),
        }
    }
}

/// Copies the first value of a cookie to `out`, and says whether there is one.
pub(crate) fn cookie<F: Fields + ?Sized>(fields: &F, name: &str, out: &mut Vec<u8>) -> bool {
    out.clear();
    append_cookie(fields, name, out)
}

/// The same behind what `out` holds.
pub(crate) fn append_cookie<F: Fields + ?Sized>(fields: &F, name: &str, out: &mut Vec<u8>) -> bool {
    let mut found = false;
    fields.each_value("cookie", &mut |line| {
        if found {
            return;
        }
        for pair in line.split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            if let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
                out.extend_from_slice(value);
                found = true;
                return;
            }
        }
    });
    found
}

/// The first value of a query parameter, as sent; `?k` and `?k=` are both empty.
pub(crate) fn query_value<'q>(query: &'q str, key: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key && !pair.is_empty()).then_some(value)
    })
}
