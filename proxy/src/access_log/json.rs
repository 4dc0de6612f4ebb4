//! One JSON object for each request, with all the fields that Sluice knows.
//!
//! Fields that every request may have are always there, empty where this one has none: a request that nobody routed has
//! `"route":""`. Left out where there is nothing to say are `upstream_protocol`, `upstream_failure`, `request_ms`,
//! `response_ms`, `grpc_status`, `upgraded`, `server_name`, and the fields of the head: `user_agent`, `referer`,
//! `x_forwarded_for`.

use sluice_net::RequestSummary;
use std::{
    io::Write,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

/// Appends the object, without a newline.
pub(super) fn line(request: &RequestSummary<'_>, out: &mut Vec<u8>) {
    let record = request.record;
    let mut object = Object { out, first: true };
    object.time("start_time", record.started_at);
    object.text("listener", record.listener().as_bytes());
    object.text("protocol", record.version.as_str().as_bytes());
    object.text("scheme", record.scheme.as_bytes());
    object.text("method", record.method.as_bytes());
    object.text("authority", record.authority.as_bytes());
    object.text("path", record.path.as_bytes());
    object.number("status", record.status.into());
    object.flags(record.flags.names());
    object.text("details", record.details.as_bytes());
    object.text("virtual_host", record.virtual_host().as_bytes());
    object.text("route", record.route().as_bytes());
    object.text("object", record.origin().as_bytes());
    object.text("cluster", record.cluster().as_bytes());
    object.endpoint(record.endpoint);
    object
        .some("upstream_protocol", record.upstream_version.map_or("", |version| version.as_str()).as_bytes());
    object.some("upstream_failure", record.failure.unwrap_or_default().as_bytes());
    object.number("attempts", record.attempts.into());
    object.number("mirrors", record.mirrors.into());
    object.number("bytes_received", record.bytes_received);
    object.number("bytes_sent", record.bytes_sent);
    object.millis("duration_ms", Some(record.duration));
    object.millis("request_ms", record.request_complete);
    object.millis("response_ms", record.response_started);
    object.optional("grpc_status", record.grpc_status.map(u64::from));
    object.flag("upgraded", record.upgraded);
    object.address("client", record.client);
    object.address("peer", record.peer);
    object.address("local", record.local);
    object.number("connection", record.connection);
    object.some("server_name", record.server_name.as_deref().unwrap_or_default().as_bytes());
    object.text("request_id", record.request_id().as_bytes());
    for (name, field) in
        [("user_agent", "user-agent"), ("referer", "referer"), ("x_forwarded_for", "x-forwarded-for")]
    {
        object.some(name, request.request.first(field).unwrap_or_default());
    }
    object.end();
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(if self.first { b"{\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        string(value, self.out);
    }

    /// A text that is left out where there is none.
    fn some(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    fn endpoint(&mut self, address: Option<SocketAddr>) {
        match address {
            Some(address) => self.address("endpoint", address),
            None => self.text("endpoint", b""),
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn optional(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.name(name);
            self.out.extend_from_slice(b"true");
        }
    }

    fn flags(&mut self, names: impl Iterator<Item = &'static str>) {
        self.name("response_flags");
        self.out.push(b'"');
        for (index, name) in names.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(name.as_bytes());
        }
        self.out.push(b'"');
    }

    /// Milliseconds with three decimals.
    fn millis(&mut self, name: &str, value: Option<Duration>) {
        if let Some(value) = value {
            let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
            self.number(name, micros / 1000);
            self.out.push(b'.');
            digits(micros % 1000, 3, self.out);
        }
    }

    fn address(&mut self, name: &str, address: SocketAddr) {
        self.name(name);
        // Writing into a Vec cannot fail, and addresses print without memory of their own.
        let _ = write!(self.out, "\"{address}\"");
    }

    /// RFC 3339 in UTC with milliseconds.
    fn time(&mut self, name: &str, time: SystemTime) {
        self.name(name);
        self.out.push(b'"');
        rfc3339(time, self.out);
        self.out.push(b'"');
    }

    fn end(self) {
        self.out.extend_from_slice(if self.first { b"{}" } else { b"}" });
    }
}

/// A JSON string of arbitrary bytes: what is not UTF-8 becomes U+FFFD, control characters are escaped.
fn string(value: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for chunk in value.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..0x20 | 0x7f => {
                    out.extend_from_slice(b"\\u00");
                    out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// `2016-04-15T20:17:00.310Z`.
pub(crate) fn rfc3339(time: SystemTime, out: &mut Vec<u8>) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    for (value, width, end) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
        (second % 60, 2, b'.'),
        (since.subsec_millis().into(), 3, b'Z'),
    ] {
        digits(value, width, out);
        out.push(end);
    }
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn digits(value: u64, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u64.pow(place) % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_core::record::Record;
    use sluice_filter::NoFields;
    use std::time::Instant;

    fn text(value: &[u8]) -> String {
        let mut out = Vec::new();
        string(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn any_bytes_make_a_json_string() {
        let all: Vec<u8> = (0..=255).collect();
        let parsed: String = serde_json::from_str(&text(&all)).unwrap();
        assert_eq!(parsed, String::from_utf8_lossy(&all));
        assert_eq!(text(b"a\"b\\c\n\x01\xff"), "\"a\\\"b\\\\c\\n\\u0001\u{fffd}\"");
        assert_eq!(text("gr\u{fc}n".as_bytes()), "\"gr\u{fc}n\"");
    }

    #[test]
    fn dates_are_right() {
        for (secs, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_460_751_420, "2016-04-15T20:17:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let mut out = Vec::new();
            rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(secs), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let mut record = Record::new(Instant::now());
        record.method.push_str("GET");
        record.path.push_str("/a\"b");
        record.status = 204;
        record.duration = Duration::from_micros(1_002_003);
        let fields = vec![("user-agent", "curl/8")];
        let mut out = Vec::new();
        let summary =
            RequestSummary { record: &record, request: &fields, response: &NoFields, trailers: &NoFields };
        line(&summary, &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["path"], "/a\"b");
        assert_eq!(value["status"], 204);
        assert_eq!(value["duration_ms"], 1002.003);
        assert_eq!(value["user_agent"], "curl/8");
        for key in ["virtual_host", "route", "object", "cluster", "endpoint", "response_flags", "details"] {
            assert_eq!(value.get(key).and_then(serde_json::Value::as_str), Some(""), "{key}");
        }
        assert_eq!((value.get("server_name"), value.get("grpc_status")), (None, None));
    }
}
