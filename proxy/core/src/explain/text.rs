//! An answer in words.

use super::{Answer, Outcome, Picked, Served, Verdict};
use crate::split::Why;
use std::fmt;

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Verdict::NoListener { fitting, all } = &self.verdict {
            let (what, list) = match (&fitting[..], &all[..]) {
                ([], []) => return writeln!(out, "listener   none: there are no listeners"),
                ([], all) => ("none fits", all),
                (fitting, _) => ("several fit", fitting),
            };
            writeln!(out, "listener   {what}; name one with --listener:")?;
            return list.iter().try_for_each(|listener| writeln!(out, "           {listener}"));
        }
        writeln!(out, "listener   {}", self.listener)?;
        if let Verdict::NoScope { server_name } = &self.verdict {
            let named =
                if server_name.is_empty() { "no name".to_owned() } else { format!("`{server_name}`") };
            return writeln!(
                out,
                "handshake  refused: no TLS scope has {named}, and there is no default one"
            );
        }
        if let Verdict::Shut { server_name, scope } = &self.verdict {
            let by = by(server_name);
            return writeln!(out, "handshake  refused: scope {scope}, picked by {by}, has no certificate");
        }
        if let Some(Picked { server_name, scope }) = &self.scope {
            let by = by(server_name);
            writeln!(out, "scope      {}, picked by {by}", called(scope.as_deref()))?;
        }
        if matches!(self.verdict, Verdict::BadPath) {
            return writeln!(out, "answer     400: the path carries an encoded NUL");
        }
        writeln!(out, "path       {}", self.path)?;
        match &self.verdict {
            Verdict::NoListener { .. }
            | Verdict::NoScope { .. }
            | Verdict::Shut { .. }
            | Verdict::BadPath => {}
            Verdict::Misdirected { scope } => {
                writeln!(out, "answer     421 DPE: the host belongs to scope {}", called(scope.as_deref()))?;
            }
            Verdict::NoHost => writeln!(out, "answer     404 NR: no virtual host answers for this host")?,
            Verdict::NoRoute { virtual_host, pattern } => {
                writeln!(out, "host       {virtual_host} ({pattern})")?;
                writeln!(out, "answer     404 NR: none of its routes matches")?;
            }
            Verdict::Route(served) => served.fmt(out)?,
        }
        if !self.losers.is_empty() {
            writeln!(out, "\nnearest others")?;
        }
        for loser in &self.losers {
            let origin = loser.origin.as_ref().map(|origin| format!(" (from {origin})")).unwrap_or_default();
            writeln!(out, "  {}{origin}: {}", loser.route, loser.reason)?;
        }
        Ok(())
    }
}

/// What picks a scope.
fn by(server_name: &str) -> String {
    if server_name.is_empty() { "no server name".to_owned() } else { format!("`{server_name}`") }
}

fn called(scope: Option<&str>) -> &str {
    scope.unwrap_or("default (the listener's own)")
}

impl fmt::Display for Served {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "host       {} ({})", self.virtual_host, self.pattern)?;
        write!(out, "route      {}", self.route)?;
        match (&self.origin, &self.delegate) {
            (Some(origin), Some(delegate)) => write!(out, " (from {origin}, written in {delegate})")?,
            (Some(origin), None) => write!(out, " (from {origin})")?,
            (None, _) => {}
        }
        writeln!(out)?;
        if self.held.is_empty() {
            writeln!(out, "because    it matches every request")?;
        }
        for (at, held) in self.held.iter().enumerate() {
            writeln!(out, "{} {held}", if at == 0 { "because   " } else { "   and    " })?;
        }
        match &self.outcome {
            Outcome::Nowhere => writeln!(out, "answer     503 NC: every weight is 0")?,
            Outcome::Redirect { status, location } => writeln!(out, "redirect   {status} to {location}")?,
            Outcome::Respond { status, bytes } => writeln!(out, "answer     {status} with {bytes} bytes")?,
            Outcome::Forward { why, to, nobody, ruled_out } => {
                writeln!(out, "forward    {}", reason(*why))?;
                for target in to {
                    let share = rounded(target.share);
                    let endpoints = match target.endpoints.as_deref() {
                        None => "nothing, as it is not there or must not be used: 503 NC".to_owned(),
                        Some([]) => "no endpoint: 503 UH".to_owned(),
                        Some(endpoints) => endpoints.join(", "),
                    };
                    write!(out, "           {share} % {} at {endpoints}", target.cluster)?;
                    match &*target.origins {
                        [] => writeln!(out)?,
                        origins => writeln!(out, " (from {})", origins.join(", "))?,
                    }
                }
                for (canary, origin) in ruled_out {
                    let origin =
                        origin.as_ref().map(|origin| format!(" (from {origin})")).unwrap_or_default();
                    writeln!(
                        out,
                        "           not {canary}{origin}: a header or cookie rule of this canary says never"
                    )?;
                }
                if *nobody > 0.0 {
                    writeln!(out, "           {} % nowhere: 503 NC, every weight is 0", rounded(*nobody))?;
                }
            }
        }
        if let Some(path) = &self.rewritten {
            writeln!(out, "rewrite    path {path}")?;
        }
        if let Some(host) = &self.host {
            writeln!(out, "rewrite    host {host}")?;
        }
        for (cluster, percent) in &self.mirrors {
            writeln!(out, "mirror     {percent} % to {cluster}")?;
        }
        Ok(())
    }
}

fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

const fn reason(why: Why) -> &'static str {
    match why {
        Why::Single => "to the only destination",
        Why::Header => "a canary's header rule decides",
        Why::Cookie => "a canary's cookie rule decides",
        Why::Sticky => "the client's position decides",
        Why::Weight => "by weight",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Target;

    #[test]
    fn the_part_that_nobody_gets_is_said() {
        let served = Served {
            virtual_host: "shop".into(),
            pattern: "*".into(),
            route: "all".into(),
            origin: None,
            delegate: None,
            held: Vec::new(),
            outcome: Outcome::Forward {
                why: Why::Weight,
                to: vec![Target {
                    cluster: "v2".into(),
                    share: 12.5,
                    origins: Vec::new(),
                    endpoints: Some(Vec::new()),
                }],
                nobody: 87.5,
                ruled_out: Vec::new(),
            },
            rewritten: None,
            host: None,
            mirrors: Vec::new(),
        };
        let text = served.to_string();
        let shares =
            "12.5 % v2 at no endpoint: 503 UH\n           87.5 % nowhere: 503 NC, every weight is 0\n";
        assert!(text.ends_with(shares), "{text}");
    }
}
