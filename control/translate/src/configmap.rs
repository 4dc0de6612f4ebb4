//! The controller's ConfigMap (`--configmap`): what holds where an Ingress says nothing itself.
//!
//! It becomes settings. A key that is not there, or whose value makes no sense, leaves the setting as it is.

use crate::{
    nginx::{self, Place},
    reads::View,
    report::{Level, Reason, Report},
    settings::{NamespacedName, Settings},
    store::{Held, Of},
};
use sluice_crds::{
    annotations::{Risk, Value, ValueKind},
    configmap::{self, Key},
    core::{ConfigMap, Pod},
};
use sluice_model::{
    convert::brief,
    spec::{Believed, ListenerLimits, UnderscorePolicy},
    value::{Duration, Size},
};
use std::collections::BTreeMap;

/// The settings of a process that was told `base`, with what its ConfigMap and its pod say.
pub(crate) fn effective(base: &Settings, view: &View<'_>) -> Settings {
    let mut settings = base.clone();
    if let Some(pod) = &base.pod {
        adopt_pod(&mut settings, pod, view);
    }
    let name = base.configmap.as_ref();
    if let Some(found) = name.and_then(|name| view.get::<ConfigMap>(&name.namespace, &name.name)) {
        let keys = Keys(&found.object().content.data);
        keys.shape_ingresses(&mut settings);
        keys.shape_servers(&mut settings);
        keys.shape_listeners(&mut settings);
    }
    settings
}

/// Labels and node of the pod, where nobody told others.
fn adopt_pod(settings: &mut Settings, pod: &str, view: &View<'_>) {
    let Some(pod) = view.get::<Pod>(&settings.pod_namespace, pod) else { return };
    if settings.labels.is_empty() {
        settings.labels = pod.object().metadata.labels.clone().unwrap_or_default();
    }
    if settings.topology.node.is_empty() {
        settings.topology.node.clone_from(&pod.object().content.node_name);
    }
}

/// What a ConfigMap says.
struct Keys<'s>(&'s BTreeMap<String, String>);

impl Keys<'_> {
    fn value(&self, key: &str) -> Option<Value> {
        configmap::look_up(key).ok()?.parse(self.0.get(key)?).ok()
    }

    fn switch(&self, key: &str, setting: &mut bool) {
        if let Some(Value::Bool(on)) = self.value(key) {
            *setting = on;
        }
    }

    fn time(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            Value::Time(time) => Some(Duration::from_millis(u64::try_from(time.as_millis()).ok()?)),
            _ => None,
        }
    }

    fn number(&self, key: &str) -> Option<u32> {
        match self.value(key)? {
            Value::Int(number) => u32::try_from(number).ok(),
            _ => None,
        }
    }

    fn text(&self, key: &str, setting: &mut String) {
        if let Some(Value::Text(text)) = self.value(key) {
            *setting = text;
        }
    }

    fn list(&self, key: &str) -> Option<Vec<String>> {
        match self.value(key)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The ConfigMap that a key names, as `namespace/name`.
    fn object(&self, key: &str) -> Option<NamespacedName> {
        match self.value(key)? {
            Value::Object(Some(namespace), name) => Some(NamespacedName { namespace, name }),
            _ => None,
        }
    }

    /// What Ingresses may say, and what they get.
    fn shape_ingresses(&self, settings: &mut Settings) {
        let ingress = &mut settings.ingress;
        self.switch("ssl-redirect", &mut ingress.ssl_redirect);
        self.switch("force-ssl-redirect", &mut ingress.force_ssl_redirect);
        self.switch("preserve-trailing-slash", &mut ingress.preserve_trailing_slash);
        self.switch("ssl-reject-handshake", &mut ingress.ssl_reject_handshake);
        self.switch("strict-validate-path-type", &mut ingress.strict_validate_path_type);
        self.switch("allow-snippet-annotations", &mut ingress.allow_snippet_annotations);
        self.switch("allow-cross-namespace-resources", &mut ingress.allow_cross_namespace_resources);
        let code = self.number("http-redirect-code").and_then(|code| u16::try_from(code).ok());
        if let Some(code) = code.and_then(|code| code.try_into().ok()) {
            ingress.http_redirect_code = code;
        }
        if let Some(paths) = self.list("no-tls-redirect-locations") {
            ingress.no_tls_redirect_locations = paths;
        }
        if let Some(words) = self.list("annotation-value-word-blocklist") {
            ingress.annotation_value_word_blocklist = words;
        }
        if let Some(Value::Text(level)) = self.value("annotations-risk-level") {
            ingress.annotations_risk_level = match level.as_str() {
                "Low" => Risk::Low,
                "Medium" => Risk::Medium,
                "Critical" => Risk::Critical,
                _ => Risk::High,
            };
        }
        let mut hsts = true;
        self.switch("hsts", &mut hsts);
        if let (true, Some(header)) = (hsts, &mut ingress.hsts) {
            self.switch("hsts-include-subdomains", &mut header.include_subdomains);
            self.switch("hsts-preload", &mut header.preload);
            header.max_age = self.number("hsts-max-age").map_or(header.max_age, u64::from);
        } else {
            ingress.hsts = None;
        }
        self.text("location-snippet", &mut ingress.location_snippet);
        self.switch("proxy-add-original-uri-header", &mut ingress.proxy_add_original_uri_header);
        self.switch("allow-backend-server-header", &mut ingress.allow_backend_server_header);
        ingress.add_headers = self.object("add-headers");
        ingress.proxy_set_headers = self.object("proxy-set-headers");
        let hidden = self.list("hide-headers").unwrap_or_default();
        ingress.hide_headers = hidden.iter().filter_map(|name| name.parse().ok()).collect();
        ingress.global_allowed_response_headers =
            self.list("global-allowed-response-headers").unwrap_or_default();
        if let Some(Value::Codes(codes)) = self.value("custom-http-errors") {
            ingress.custom_http_errors = codes;
        }
        self.switch("disable-proxy-intercept-errors", &mut ingress.disable_proxy_intercept_errors);
        ingress.refused = self.refusals();
    }

    /// The keys that protect every Ingress and are not in effect.
    fn refusals(&self) -> Vec<&'static str> {
        let asked = self.0.iter().filter_map(|(key, text)| {
            let row = configmap::look_up(key).ok()?;
            (row.verdict.fails_closed() && asks(row, text) || shuts(row.name, text)).then_some(row.name)
        });
        asked.collect()
    }

    /// How servers are spoken to.
    fn shape_servers(&self, settings: &mut Settings) {
        let ingress = &mut settings.ingress;
        ingress.proxy_connect_timeout = self.time("proxy-connect-timeout").or(ingress.proxy_connect_timeout);
        ingress.proxy_read_timeout = self.time("proxy-read-timeout").or(ingress.proxy_read_timeout);
        ingress.proxy_send_timeout = self.time("proxy-send-timeout").or(ingress.proxy_send_timeout);
        if let Some(Value::Size(size)) = self.value("proxy-body-size") {
            ingress.proxy_body_size = Some(Size::bytes(size));
        }
        if let Some(Value::Text(balance)) = self.value("load-balance") {
            ingress.by_latency = balance == "ewma";
        }
        self.text("upstream-hash-by", &mut ingress.upstream_hash_by);
        self.switch("service-upstream", &mut ingress.service_upstream);
        self.switch("retry-non-idempotent", &mut ingress.retry_non_idempotent);
        ingress.proxy_next_upstream = self.list("proxy-next-upstream").or(ingress.proxy_next_upstream.take());
        ingress.proxy_next_upstream_timeout =
            self.time("proxy-next-upstream-timeout").or(ingress.proxy_next_upstream_timeout);
        self.switch("relative-redirects", &mut ingress.relative_redirects);
        self.switch("proxy-ssl-location-only", &mut ingress.proxy_ssl_location_only);
        ingress.proxy_next_upstream_tries =
            self.number("proxy-next-upstream-tries").or(ingress.proxy_next_upstream_tries);
        self.text("proxy-redirect-from", &mut ingress.proxy_redirect_from);
        self.text("proxy-redirect-to", &mut ingress.proxy_redirect_to);
        self.text("proxy-cookie-path", &mut ingress.proxy_cookie_path);
        self.text("proxy-cookie-domain", &mut ingress.proxy_cookie_domain);
        let keep_alive = &mut ingress.keep_alive;
        keep_alive.max_idle = self.number("upstream-keepalive-connections").unwrap_or(keep_alive.max_idle);
        keep_alive.max_requests =
            self.number("upstream-keepalive-requests").unwrap_or(keep_alive.max_requests);
        keep_alive.idle_timeout = self.time("upstream-keepalive-timeout").unwrap_or(keep_alive.idle_timeout);
    }

    /// What clients may send, and how long they may take.
    fn shape_listeners(&self, settings: &mut Settings) {
        let mut on = [false; 2];
        self.switch("use-forwarded-headers", &mut on[0]);
        self.switch("enable-real-ip", &mut on[1]);
        if on != [false; 2] {
            settings.ingress.believed = if on[0] { Believed::All } else { Believed::Client };
            settings.ingress.trusted = match self.value(TRUSTED) {
                Some(Value::Addresses(trusted)) => trusted,
                // Whoever names some does not mean everybody.
                _ if self.0.get(TRUSTED).is_some_and(|text| !text.trim().is_empty()) => Vec::new(),
                _ => ["0.0.0.0/0", "::/0"].iter().filter_map(|all| all.parse().ok()).collect(),
            };
        }
        if let Some(Value::Text(name)) = self.value("forwarded-for-header")
            && let Ok(name) = name.parse()
        {
            settings.ingress.forwarded_for_header = name;
        }
        let mut full = false;
        self.switch("compute-full-forwarded-for", &mut full);
        settings.ingress.compute_full_forwarded_for = full && on[0];
        let listener = &mut settings.listener;
        let timeouts = &mut listener.timeouts;
        timeouts.body_idle = self.time("client-body-timeout").unwrap_or(timeouts.body_idle);
        timeouts.keep_alive = self.time("keep-alive").unwrap_or(timeouts.keep_alive);
        let limits = &mut listener.limits;
        limits.requests_per_connection =
            self.number("keep-alive-requests").unwrap_or(limits.requests_per_connection);
        limits.connections =
            self.number("max-worker-connections").filter(|most| *most > 0).or(limits.connections);
        let streams = self.number("http2-max-concurrent-streams");
        if let Some(streams) = streams.filter(|streams| (1..=10_000).contains(streams)) {
            listener.concurrent_streams = Some(streams);
        }
        if let Some(Value::Text(buffers)) = self.value(HEAD_BUFFERS)
            && let Some((all, one)) = header_buffers(&buffers)
        {
            limits.target = Size::bytes(one);
            limits.head = Size::bytes(all);
        }
        if let Some(Value::Bool(allowed)) = self.value("enable-underscores-in-headers") {
            let policy = if allowed { UnderscorePolicy::Allow } else { UnderscorePolicy::Drop };
            listener.underscores = Some(policy);
        }
        listener.header_timeout = self.time("client-header-timeout").or(listener.header_timeout);
        self.switch("use-http2", &mut listener.http2);
        self.switch("generate-request-id", &mut listener.request_id);
        settings.drain_timeout = self.time("worker-shutdown-timeout").or(settings.drain_timeout);
    }
}

/// Whose `x-forwarded-*` is believed.
const TRUSTED: &str = "proxy-real-ip-cidr";

/// Bounds of a head.
const HEAD_BUFFERS: &str = "large-client-header-buffers";

/// `4 8k`: the bytes of all buffers together, as far as heads may be that long, and of one.
fn header_buffers(text: &str) -> Option<(u64, u64)> {
    let (count, size) = text.split_once(' ')?;
    let Ok(Value::Size(size)) = ValueKind::Size.parse(size) else { return None };
    let all = count.parse::<u64>().ok()?.checked_mul(size)?;
    let all = all.clamp(ListenerLimits::SMALLEST_HEAD.get(), ListenerLimits::LARGEST_HEAD.get());
    (size > 0).then_some((all, size.min(all)))
}

/// Whether a value wants anything at all.
fn asks(row: &Key, text: &str) -> bool {
    row.parse(text).map_or(true, |value| !value.is_nothing())
}

/// What is to be said about the keys of the ConfigMap.
pub(crate) fn report(view: &View<'_>, settings: &Settings) -> Vec<Report> {
    let Some(name) = &settings.configmap else { return Vec::new() };
    let Some(found) = view.get::<ConfigMap>(&name.namespace, &name.name) else { return Vec::new() };
    let keys = found.object().content.data.iter();
    keys.flat_map(|(key, text)| {
        let mut about = about(found.held(), key, text, settings.allow_unprotected);
        about.extend(missing(view, found, key, text));
        about.extend(pageless(settings, found, key, text));
        about.into_iter().map(move |report| report.at(format!("data.{key}")))
    })
    .collect()
}

/// Where a ConfigMap is named that is not there.
fn missing(view: &View<'_>, found: Of<'_, ConfigMap>, key: &str, text: &str) -> Option<Report> {
    let named = ["add-headers", "proxy-set-headers"].contains(&key).then(|| text.trim().split_once('/'))?;
    let message = match named {
        Some((namespace, name)) if view.get::<ConfigMap>(namespace, name).is_some() => return None,
        Some((namespace, name)) => format!("there is no ConfigMap {namespace}/{name}"),
        None => "names no ConfigMap: write `namespace/name`".to_owned(),
    };
    Some(Report::new(found.held(), Level::Warning, Reason::NotFound, message))
}

/// Where errors are to be replaced and nobody has pages.
fn pageless(settings: &Settings, found: Of<'_, ConfigMap>, key: &str, text: &str) -> Option<Report> {
    if key != "custom-http-errors" || text.trim().is_empty() || settings.default_backend.is_some() {
        return None;
    }
    let message = "the gateway has no default backend, so nobody has pages and answers pass unchanged; \
                   start it with `--default-backend-service`";
    Some(Report::new(found.held(), Level::Warning, Reason::NoEffect, message))
}

fn about(held: &Held, key: &str, text: &str, unprotected: bool) -> Vec<Report> {
    let row = match configmap::look_up(key) {
        Ok(row) => row,
        Err(meant) => return vec![Report::of_unknown(held, key, meant)],
    };
    let mut reports = Vec::new();
    if let Err(error) = row.parse(text) {
        let holds = match row.default {
            _ if key == TRUSTED => "; nobody is believed until it is mended".to_owned(),
            Some(default) => format!("; `{default}` holds instead"),
            None => "; it is ignored".to_owned(),
        };
        reports.push(Report::new(held, Level::Warning, Reason::Invalid, format!("{error}{holds}")));
    }
    if key == HEAD_BUFFERS && header_buffers(text).is_none() {
        let message = format!("`{}` is not a number and a size, such as `4 8k`; it is ignored", brief(text));
        reports.push(Report::new(held, Level::Warning, Reason::Invalid, message));
    }
    if key == "location-snippet" {
        match nginx::parse(text).and_then(|directives| nginx::translate(&directives, &Place::default())) {
            Ok(translated) => reports.extend(
                translated
                    .notes
                    .into_iter()
                    .map(|note| Report::new(held, note.level, note.reason, note.message)),
            ),
            Err(refused) => {
                let message = format!("{refused}; no path gets any of it");
                reports.push(Report::new(held, Level::Warning, Reason::NotInEffect, message));
            }
        }
    }
    const REFUSED: &str = "every Ingress answers 503";
    if shuts(key, text) && !unprotected {
        let message =
            format!("it says who may come, and is not translated: {REFUSED}; protect them in another way");
        reports.push(Report::new(held, Level::Error, Reason::FailsClosed, message));
    } else if asks(row, text) {
        reports.extend(Report::of_verdict(held, row.verdict, REFUSED, unprotected));
    }
    reports
}

/// Whether it is a snippet for all Ingresses which says who may come, and which is not translated.
fn shuts(key: &str, text: &str) -> bool {
    if !["http-snippet", "server-snippet", "location-snippet"].contains(&key) {
        return false;
    }
    let Ok(directives) = nginx::parse(text) else { return true };
    let translated = key == "location-snippet" && nginx::translate(&directives, &Place::default()).is_ok();
    !translated && directives.iter().any(nginx::protects)
}

#[cfg(test)]
mod tests;
