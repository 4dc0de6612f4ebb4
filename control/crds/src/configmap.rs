//! The keys of ingress-nginx's ConfigMap, one row each: change the verdict here when something new makes a row work.
//!
//! Names and defaults are those of ingress-nginx 1.15. A default that is a long list of ciphers or media types is left out.

use crate::{
    annotations::{
        InvalidValue, Value,
        ValueKind::{
            self, Addresses, Bool, Codes, Float, GoDuration, HeaderName, HeaderNames, Int, List,
            NextUpstream, ObjectName, OnOff, OneOf, Seconds, Size, Snippet, Text, Time, Url,
        },
    },
    verdict::{
        Need,
        Verdict::{self, FailsClosed, InEffect, Never, NeverFailsClosed, NoEffect, NotYet},
    },
};
use sluice_model::convert::nearest;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What values look like.
    pub value: ValueKind,
    /// What an absent key means; `None` for nothing at all.
    pub default: Option<&'static str>,
    /// What becomes of it.
    pub verdict: Verdict,
}

const STREAMED: &str = "bodies are streamed, there is no buffer to shape";
const ENGINE: &str = "it tunes nginx itself";
const GONE: &str = "ingress-nginx has given it up";
const NO_WAF: &str = "there is no web application firewall";
const LOG_FORMAT: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
    \"$http_user_agent\" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] \
    $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id";

/// All keys, by name.
static TABLE: [Key; 201] = [
    row("access-log-params", Text, None, NotYet(Need::AccessLog)),
    row("access-log-path", Text, Some("/var/log/nginx/access.log"), NotYet(Need::AccessLog)),
    row("add-headers", ObjectName, None, InEffect),
    row("allow-backend-server-header", Bool, Some("false"), InEffect),
    row("allow-cross-namespace-resources", Bool, Some("false"), InEffect),
    row("allow-snippet-annotations", Bool, Some("false"), InEffect),
    row("annotation-value-word-blocklist", List, None, InEffect),
    row("annotations-risk-level", OneOf(&["Low", "Medium", "High", "Critical"]), Some("High"), InEffect),
    row("bind-address", List, None, NoEffect("`--bind` says it")),
    row("block-cidrs", Addresses, None, FailsClosed(Need::AccessLists)),
    row("block-referers", List, None, FailsClosed(Need::AccessLists)),
    row("block-user-agents", List, None, FailsClosed(Need::AccessLists)),
    row("brotli-level", Int, Some("4"), NotYet(Need::Compression)),
    row("brotli-min-length", Int, Some("20"), NotYet(Need::Compression)),
    row("brotli-types", Text, None, NotYet(Need::Compression)),
    row("client-body-buffer-size", Size, Some("8k"), NoEffect(STREAMED)),
    row("client-body-timeout", Time, Some("60"), InEffect),
    row(
        "client-header-buffer-size",
        Size,
        Some("1k"),
        NoEffect("`large-client-header-buffers` bounds heads"),
    ),
    row("client-header-timeout", Time, Some("60"), InEffect),
    row("compute-full-forwarded-for", Bool, Some("false"), InEffect),
    row("custom-http-errors", Codes, None, InEffect),
    row("debug-connections", List, None, NoEffect(ENGINE)),
    row("default-type", Text, Some("text/html"), NoEffect("answers of the proxy itself say what they are")),
    row("denylist-source-range", Addresses, None, FailsClosed(Need::AccessLists)),
    row("disable-access-log", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("disable-ipv6", Bool, Some("false"), NoEffect("`--bind` says it")),
    row("disable-ipv6-dns", Bool, Some("false"), NoEffect(ENGINE)),
    row("disable-proxy-intercept-errors", Bool, Some("false"), InEffect),
    row("enable-access-log-for-default-backend", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("enable-aio-write", Bool, Some("true"), NoEffect(ENGINE)),
    row("enable-auth-access-log", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("enable-brotli", Bool, Some("false"), NotYet(Need::Compression)),
    row("enable-modsecurity", Bool, Some("false"), NeverFailsClosed(NO_WAF)),
    row("enable-multi-accept", Bool, Some("true"), NoEffect(ENGINE)),
    row("enable-ocsp", Bool, Some("false"), NotYet(Need::TlsPolicies)),
    row("enable-opentelemetry", Bool, Some("false"), NotYet(Need::Tracing)),
    row("enable-owasp-modsecurity-crs", Bool, Some("false"), NeverFailsClosed(NO_WAF)),
    row("enable-real-ip", Bool, Some("false"), InEffect),
    row("enable-serial-reloads", Bool, Some("false"), NoEffect(ENGINE)),
    row("enable-syslog", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("enable-underscores-in-headers", Bool, Some("false"), InEffect),
    row("error-log-level", Text, Some("notice"), NoEffect(ENGINE)),
    row("error-log-path", Text, Some("/var/log/nginx/error.log"), NoEffect(ENGINE)),
    row("force-ssl-redirect", Bool, Some("false"), InEffect),
    row("forwarded-for-header", HeaderName, Some("X-Forwarded-For"), InEffect),
    row(
        "forwarded-for-proxy-protocol-header",
        Text,
        Some("X-Forwarded-For-Proxy-Protocol"),
        NotYet(Need::ProxyProtocol),
    ),
    row("generate-request-id", Bool, Some("true"), InEffect),
    row("geoip2-autoreload-in-minutes", Int, Some("0"), Never("places of addresses are not looked up")),
    row("global-allowed-response-headers", HeaderNames, None, InEffect),
    row("global-auth-always-set-cookie", Bool, Some("false"), NotYet(Need::Authentication)),
    row("global-auth-cache-duration", Text, Some("200 202 401 5m"), NotYet(Need::Authentication)),
    row("global-auth-cache-key", Text, None, NotYet(Need::Authentication)),
    row("global-auth-method", Text, None, NotYet(Need::Authentication)),
    row("global-auth-request-redirect", Text, None, NotYet(Need::Authentication)),
    row("global-auth-response-headers", HeaderNames, None, NotYet(Need::Authentication)),
    row("global-auth-signin", Url, None, NotYet(Need::Authentication)),
    row("global-auth-signin-redirect-param", Text, Some("rd"), NotYet(Need::Authentication)),
    row("global-auth-snippet", Snippet, None, FailsClosed(Need::Authentication)),
    row("global-auth-url", Url, None, FailsClosed(Need::Authentication)),
    row("grpc-buffer-size-kb", Int, Some("0"), NoEffect(STREAMED)),
    row("gzip-disable", Text, None, NotYet(Need::Compression)),
    row("gzip-level", Int, Some("1"), NotYet(Need::Compression)),
    row("gzip-min-length", Int, Some("256"), NotYet(Need::Compression)),
    row("gzip-types", Text, None, NotYet(Need::Compression)),
    row("hide-headers", HeaderNames, None, InEffect),
    row("hsts", Bool, Some("true"), InEffect),
    row("hsts-include-subdomains", Bool, Some("true"), InEffect),
    row("hsts-max-age", Int, Some("31536000"), InEffect),
    row("hsts-preload", Bool, Some("false"), InEffect),
    row("http-access-log-path", Text, None, NotYet(Need::AccessLog)),
    row("http-redirect-code", Int, Some("308"), InEffect),
    row(
        "http-snippet",
        Snippet,
        None,
        Never("nothing is translated for all hosts; write `location-snippet`"),
    ),
    row("http2-max-concurrent-streams", Int, Some("128"), InEffect),
    row("http2-max-field-size", Text, None, NoEffect(ENGINE)),
    row("http2-max-header-size", Text, None, NoEffect(ENGINE)),
    row("http2-max-requests", Int, Some("0"), NoEffect(ENGINE)),
    row(
        "ignore-invalid-headers",
        Bool,
        Some("true"),
        NoEffect("requests with fields that are not valid are refused"),
    ),
    row("jaeger-baggage-header", Text, Some("jaeger-baggage"), NoEffect(GONE)),
    row("jaeger-collector-host", Text, None, NoEffect(GONE)),
    row("jaeger-collector-port", Int, Some("6831"), NoEffect(GONE)),
    row("jaeger-debug-header", Text, Some("uber-debug-id"), NoEffect(GONE)),
    row("jaeger-endpoint", Text, None, NoEffect(GONE)),
    row("jaeger-propagation-format", Text, Some("jaeger"), NoEffect(GONE)),
    row("jaeger-sampler-host", Text, Some("http://127.0.0.1"), NoEffect(GONE)),
    row("jaeger-sampler-param", Text, Some("1"), NoEffect(GONE)),
    row("jaeger-sampler-port", Int, Some("5778"), NoEffect(GONE)),
    row("jaeger-sampler-type", Text, Some("const"), NoEffect(GONE)),
    row("jaeger-service-name", Text, Some("nginx"), NoEffect(GONE)),
    row("jaeger-trace-baggage-header-prefix", Text, Some("uberctx-"), NoEffect(GONE)),
    row("jaeger-trace-context-header-name", Text, Some("uber-trace-id"), NoEffect(GONE)),
    row("keep-alive", Time, Some("75"), InEffect),
    row("keep-alive-requests", Int, Some("1000"), InEffect),
    row("large-client-header-buffers", Text, Some("4 8k"), InEffect),
    row("limit-conn-status-code", Int, Some("503"), NotYet(Need::Limits)),
    row("limit-conn-zone-variable", Text, Some("$binary_remote_addr"), NotYet(Need::Limits)),
    row("limit-rate", Int, Some("0"), NotYet(Need::Limits)),
    row("limit-rate-after", Int, Some("0"), NotYet(Need::Limits)),
    row("limit-req-status-code", Int, Some("503"), NotYet(Need::Limits)),
    row("load-balance", OneOf(&["round_robin", "ewma"]), Some("round_robin"), InEffect),
    row("location-snippet", Snippet, None, InEffect),
    row("log-format-escape-json", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("log-format-escape-none", Bool, Some("false"), NotYet(Need::AccessLog)),
    row("log-format-stream", Text, None, NotYet(Need::AccessLog)),
    row("log-format-upstream", Text, Some(LOG_FORMAT), NotYet(Need::AccessLog)),
    row("lua-shared-dicts", Text, None, NoEffect(ENGINE)),
    row("main-snippet", Snippet, None, Never("it configures the nginx process")),
    row("map-hash-bucket-size", Int, Some("64"), NoEffect(ENGINE)),
    row("max-worker-connections", Int, Some("16384"), InEffect),
    row("max-worker-open-files", Int, Some("0"), NoEffect(ENGINE)),
    row("modsecurity-snippet", Snippet, None, NeverFailsClosed(NO_WAF)),
    row("nginx-status-ipv4-whitelist", Addresses, Some("127.0.0.1"), NoEffect(ENGINE)),
    row("nginx-status-ipv6-whitelist", Addresses, Some("::1"), NoEffect(ENGINE)),
    row("no-auth-locations", List, Some("/.well-known/acme-challenge"), NotYet(Need::Authentication)),
    row("no-tls-redirect-locations", List, Some("/.well-known/acme-challenge"), InEffect),
    row(
        "opentelemetry-config",
        Text,
        Some("/etc/ingress-controller/telemetry/opentelemetry.toml"),
        NotYet(Need::Tracing),
    ),
    row("opentelemetry-operation-name", Text, None, NotYet(Need::Tracing)),
    row("opentelemetry-trust-incoming-span", Bool, Some("true"), NotYet(Need::Tracing)),
    row("otel-max-export-batch-size", Int, Some("512"), NotYet(Need::Tracing)),
    row("otel-max-queuesize", Int, Some("2048"), NotYet(Need::Tracing)),
    row("otel-sampler", Text, Some("AlwaysOn"), NotYet(Need::Tracing)),
    row("otel-sampler-parent-based", Bool, Some("true"), NotYet(Need::Tracing)),
    row("otel-sampler-ratio", Float, Some("0.01"), NotYet(Need::Tracing)),
    row("otel-schedule-delay-millis", Int, Some("5000"), NotYet(Need::Tracing)),
    row("otel-service-name", Text, Some("nginx"), NotYet(Need::Tracing)),
    row("otlp-collector-host", Text, None, NotYet(Need::Tracing)),
    row("otlp-collector-port", Int, Some("4317"), NotYet(Need::Tracing)),
    row("preserve-trailing-slash", Bool, Some("false"), InEffect),
    row("proxy-add-original-uri-header", Bool, Some("false"), InEffect),
    row("proxy-body-size", Size, Some("1m"), InEffect),
    row("proxy-buffer-size", Size, Some("4k"), NoEffect(STREAMED)),
    row("proxy-buffering", OnOff, Some("off"), NoEffect(STREAMED)),
    row("proxy-buffers-number", Int, Some("4"), NoEffect(STREAMED)),
    row("proxy-busy-buffers-size", Size, None, NoEffect(STREAMED)),
    row("proxy-connect-timeout", Seconds, Some("5"), InEffect),
    row("proxy-cookie-domain", Text, Some("off"), InEffect),
    row("proxy-cookie-path", Text, Some("off"), InEffect),
    row("proxy-headers-hash-bucket-size", Int, Some("64"), NoEffect(ENGINE)),
    row("proxy-headers-hash-max-size", Int, Some("512"), NoEffect(ENGINE)),
    row(
        "proxy-http-version",
        OneOf(&["1.1", "1.0"]),
        Some("1.1"),
        Never("servers are spoken to in HTTP/1.1 or HTTP/2"),
    ),
    row("proxy-max-temp-file-size", Size, Some("1024m"), NoEffect(STREAMED)),
    row("proxy-next-upstream", NextUpstream, Some("error timeout"), InEffect),
    row("proxy-next-upstream-timeout", Seconds, Some("0"), InEffect),
    row("proxy-next-upstream-tries", Int, Some("3"), InEffect),
    row("proxy-protocol-header-timeout", GoDuration, Some("5s"), NotYet(Need::ProxyProtocol)),
    row("proxy-read-timeout", Seconds, Some("60"), InEffect),
    row("proxy-real-ip-cidr", Addresses, Some("0.0.0.0/0"), InEffect),
    row("proxy-redirect-from", Text, Some("off"), InEffect),
    row("proxy-redirect-to", Text, Some("off"), InEffect),
    row("proxy-request-buffering", OnOff, Some("on"), NotYet(Need::BodyPolicies)),
    row("proxy-send-timeout", Seconds, Some("60"), InEffect),
    row("proxy-set-headers", ObjectName, None, InEffect),
    row("proxy-ssl-location-only", Bool, Some("false"), NotYet(Need::UpstreamTls)),
    row("proxy-stream-next-upstream", Bool, Some("true"), NotYet(Need::Layer4)),
    row("proxy-stream-next-upstream-timeout", Time, Some("600s"), NotYet(Need::Layer4)),
    row("proxy-stream-next-upstream-tries", Int, Some("3"), NotYet(Need::Layer4)),
    row("proxy-stream-responses", Int, Some("1"), NotYet(Need::Layer4)),
    row("proxy-stream-timeout", Time, Some("600s"), NotYet(Need::Layer4)),
    row("relative-redirects", Bool, Some("false"), InEffect),
    row("retry-non-idempotent", Bool, Some("false"), InEffect),
    row("reuse-port", Bool, Some("true"), NoEffect(ENGINE)),
    row("server-name-hash-bucket-size", Int, None, NoEffect(ENGINE)),
    row("server-name-hash-max-size", Int, Some("1024"), NoEffect(ENGINE)),
    row(
        "server-snippet",
        Snippet,
        None,
        Never("nothing is translated for a whole host; write `location-snippet`"),
    ),
    row("server-tokens", Bool, Some("false"), NoEffect("the proxy tells nobody its version")),
    row("service-upstream", Bool, Some("false"), InEffect),
    row("skip-access-log-urls", List, None, NotYet(Need::AccessLog)),
    row("ssl-buffer-size", Size, Some("4k"), NoEffect(STREAMED)),
    row("ssl-ciphers", Text, None, NotYet(Need::TlsPolicies)),
    row("ssl-dh-param", ObjectName, None, NoEffect("key exchange is by elliptic curves alone")),
    row("ssl-early-data", Bool, Some("false"), NotYet(Need::TlsPolicies)),
    row("ssl-ecdh-curve", Text, Some("auto"), NotYet(Need::TlsPolicies)),
    row("ssl-protocols", Text, Some("TLSv1.2 TLSv1.3"), NotYet(Need::TlsPolicies)),
    row("ssl-redirect", Bool, Some("true"), InEffect),
    row("ssl-reject-handshake", Bool, Some("false"), InEffect),
    row("ssl-session-cache", Bool, Some("true"), NotYet(Need::TlsPolicies)),
    row("ssl-session-cache-size", Size, Some("10m"), NotYet(Need::TlsPolicies)),
    row("ssl-session-ticket-key", Text, None, NotYet(Need::TlsPolicies)),
    row("ssl-session-tickets", Bool, Some("false"), NotYet(Need::TlsPolicies)),
    row("ssl-session-timeout", Time, Some("10m"), NotYet(Need::TlsPolicies)),
    row("stream-access-log-path", Text, None, NotYet(Need::AccessLog)),
    row("stream-snippet", Snippet, None, NotYet(Need::Layer4)),
    row("strict-validate-path-type", Bool, Some("true"), InEffect),
    row("syslog-host", Text, None, NotYet(Need::AccessLog)),
    row("syslog-port", Int, Some("514"), NotYet(Need::AccessLog)),
    row("upstream-hash-by", Text, None, InEffect),
    row("upstream-keepalive-connections", Int, Some("320"), InEffect),
    row("upstream-keepalive-requests", Int, Some("10000"), InEffect),
    row("upstream-keepalive-time", Time, Some("1h"), NoEffect(ENGINE)),
    row("upstream-keepalive-timeout", Time, Some("60"), InEffect),
    row("use-forwarded-headers", Bool, Some("false"), InEffect),
    row("use-geoip", Bool, Some("true"), NoEffect(GONE)),
    row("use-geoip2", Bool, Some("false"), Never("places of addresses are not looked up")),
    row("use-gzip", Bool, Some("false"), NotYet(Need::Compression)),
    row("use-http2", Bool, Some("true"), InEffect),
    row("use-proxy-protocol", Bool, Some("false"), NotYet(Need::ProxyProtocol)),
    row("variables-hash-bucket-size", Int, Some("256"), NoEffect(ENGINE)),
    row("variables-hash-max-size", Int, Some("2048"), NoEffect(ENGINE)),
    row("whitelist-source-range", Addresses, None, FailsClosed(Need::AccessLists)),
    row("worker-cpu-affinity", Text, None, NoEffect(ENGINE)),
    row("worker-processes", Text, None, NoEffect("there is one data thread for each CPU")),
    row("worker-shutdown-timeout", Time, Some("240s"), InEffect),
];

const fn row(name: &'static str, value: ValueKind, default: Option<&'static str>, verdict: Verdict) -> Key {
    Key { name, value, default, verdict }
}

/// All rows.
pub fn all() -> &'static [Key] {
    &TABLE
}

/// Looks a key up; fails with what was probably meant.
pub fn look_up(name: &str) -> Result<&'static Key, Option<&'static str>> {
    let row = TABLE.iter().find(|row| row.name == name);
    row.ok_or_else(|| nearest(name, TABLE.iter().map(|row| row.name)))
}

impl Key {
    /// Reads a value.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidValue> {
        self.value.parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_defaults_are_values_of_their_row() {
        assert!(TABLE.is_sorted_by(|before, after| before.name < after.name));
        for row in all() {
            if let Some(default) = row.default {
                assert!(row.parse(default).is_ok(), "{}: {default}", row.name);
            }
        }
    }

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(look_up("hsts").unwrap().default, Some("true"));
        assert_eq!(look_up("use-forwarded-header"), Err(Some("use-forwarded-headers")));
        assert!(look_up("global-auth-url").unwrap().verdict.fails_closed());
    }
}
