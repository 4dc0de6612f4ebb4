//! Admin endpoint, threads, access log, DNS.

use super::{At, Context, text};
use crate::{
    spec::{self, AccessLogFormat, AccessLogTarget},
    template::Template,
};

pub(super) fn check(cx: &mut Context<'_>, config: &spec::Config, root: At<'_>) {
    let admin = root.key("admin");
    if !config.admin.address.ip().to_canonical().is_loopback() {
        let message = "the admin endpoint can be reached from other machines; it has no authentication";
        cx.warning(admin.key("address"), message).suggest("write `127.0.0.1:15000`");
    }
    for (index, host) in config.admin.allowed_hosts.iter().enumerate() {
        text::host(cx, admin.key("allowed_hosts").index(index), host);
    }
    let runtime = root.key("runtime");
    if config.runtime.shards.is_some_and(|shards| shards == 0 || shards > 1024) {
        cx.error(runtime.key("shards"), "there can be 1 to 1024 shards")
            .suggest("leave it out to take one for each CPU");
    }
    if let Some(log) = &config.access_log {
        access_log(cx, log, root.key("access_log"));
    }
    dns(cx, &config.dns, root.key("dns"));
}

fn access_log(cx: &mut Context<'_>, log: &spec::AccessLog, at: At<'_>) {
    if let AccessLogTarget::File(path) = &log.target
        && (path.is_empty() || path.contains('\0'))
    {
        cx.error(at.key("target").key("file"), "a file needs a name");
    }
    if let AccessLogFormat::Text(format) = &log.format {
        let at = at.key("format");
        let at = at.key("text");
        match format.parse::<Template>() {
            Ok(_) if format.trim_end_matches('\n').contains('\n') => {
                cx.warning(at, "every request takes several lines");
            }
            Ok(_) => {}
            Err(error) => {
                let finding = cx.error(at, error.message);
                finding.suggestion = error.suggestion;
            }
        }
    }
}

fn dns(cx: &mut Context<'_>, dns: &spec::Dns, at: At<'_>) {
    for (index, server) in dns.servers.iter().enumerate() {
        if server.port() == 0 {
            cx.error(at.key("servers").index(index), "a name server has a port").suggest("write port 53");
        }
    }
    if dns.min_ttl > dns.max_ttl && dns.max_ttl.limit().is_some() {
        let message = format!("`min_ttl` ({}) is greater than `max_ttl` ({})", dns.min_ttl, dns.max_ttl);
        cx.error(at.key("min_ttl"), message);
    }
    for (key, value) in [("max_ttl", dns.max_ttl), ("timeout", dns.timeout)] {
        if value.limit().is_none() {
            cx.error(at.key(key), "must be more than 0, or no name is ever resolved");
        }
    }
}
