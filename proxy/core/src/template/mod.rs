//! The values of template variables: for header edits while a request lives, for access logs when it is over.

use crate::hygiene::host_of;
use crate::record::Record;
use crate::route::condition::{append_cookie, query_value};
use sluice_filter::Fields;
use sluice_model::template::{Operator, RequestField, Segment, Template, TimeFormat, TimePart};
use sluice_model::value::HeaderName;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// What variables are computed from. Heads that do not exist (yet) are [`sluice_filter::NoFields`].
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request so far, or when it is over.
    pub record: &'a Record,
    /// The request's fields as received.
    pub request: &'a dyn Fields,
    /// The answer's fields as the upstream sent them.
    pub response: &'a dyn Fields,
    /// The answer's trailers.
    pub trailers: &'a dyn Fields,
    /// The machine's name.
    pub hostname: &'a str,
}

/// What a variable without a value comes out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// As nothing: in header fields.
    Nothing,
    /// As `-`: in access logs.
    Dash,
}

/// Appends the text to `out`, and allocates nothing besides. A length bound cuts bytes, never inside a UTF-8 character
/// where the value is text.
pub fn evaluate(template: &Template, facts: &Facts<'_>, missing: Missing, out: &mut Vec<u8>) {
    for segment in template.segments() {
        match segment {
            Segment::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Segment::Variable { operator, max_len } => {
                let start = out.len();
                variable(operator, facts, out);
                if out.len() == start && missing == Missing::Dash {
                    out.push(b'-');
                }
                if let Some(most) = *max_len
                    && out.len() - start > most
                {
                    let mut end = start + most;
                    while end > start && out[end] & 0xc0 == 0x80 {
                        end -= 1;
                    }
                    out.truncate(end);
                }
            }
        }
    }
}

/// Appends one variable; nothing where it has no value.
pub fn variable(operator: &Operator, facts: &Facts<'_>, out: &mut Vec<u8>) {
    let record = facts.record;
    match operator {
        Operator::Req(field, otherwise) => {
            if !request_field(field, facts, out)
                && let Some(otherwise) = otherwise
            {
                request_field(otherwise, facts, out);
            }
        }
        Operator::QueryParam(name) => {
            text(query(&record.path).and_then(|query| query_value(query, name)).unwrap_or_default(), out);
        }
        Operator::Cookie(name) => drop(append_cookie(facts.request, name, out)),
        Operator::Host => {
            let start = out.len();
            text(host_of(&record.authority), out);
            out[start..].make_ascii_lowercase();
        }
        Operator::Path => text(&record.normal_path, out),
        Operator::Query => text(query(&record.path).unwrap_or_default(), out),
        Operator::QueryMark => {
            text(if query(&record.path).is_some_and(|query| !query.is_empty()) { "?" } else { "" }, out);
        }
        Operator::ForwardedFor => {
            facts.request.each_value("x-forwarded-for", &mut |value| {
                out.extend_from_slice(value);
                out.extend_from_slice(b", ");
            });
            ip(record.client.ip(), out);
        }
        Operator::ListenerPort => {
            let public = record.listener.as_ref().and_then(|listener| listener.public_port);
            number(u64::from(public.unwrap_or(record.local.port())), out);
        }
        Operator::Resp(name, otherwise) => field(facts.response, name, otherwise.as_ref(), out),
        Operator::Trailer(name, otherwise) => field(facts.trailers, name, otherwise.as_ref(), out),
        Operator::StartTime(format) => time(record.started_at, format.as_ref(), out),
        Operator::Protocol => text(record.version.as_str(), out),
        Operator::ResponseCode => number(u64::from(record.status), out),
        Operator::ResponseCodeDetails => text(record.details, out),
        Operator::ResponseFlags => {
            for (index, name) in record.flags.names().enumerate() {
                text(if index > 0 { "," } else { "" }, out);
                text(name, out);
            }
        }
        Operator::ConnectionTerminationDetails => text(record.termination.unwrap_or_default(), out),
        Operator::BytesReceived => number(record.bytes_received, out),
        Operator::BytesSent => number(record.bytes_sent, out),
        Operator::Duration => millis(Some(record.duration), out),
        Operator::RequestDuration => millis(record.request_complete, out),
        Operator::ResponseDuration => millis(record.response_started, out),
        Operator::ResponseTxDuration => {
            millis(record.response_started.map(|started| record.duration.saturating_sub(started)), out);
        }
        Operator::UpstreamHost => {
            if let Some(endpoint) = record.endpoint {
                address(endpoint, out);
            }
        }
        Operator::UpstreamCluster => text(record.cluster(), out),
        Operator::UpstreamRequestAttemptCount => number(u64::from(record.attempts), out),
        Operator::UpstreamTransportFailureReason => text(record.failure.unwrap_or_default(), out),
        Operator::DownstreamRemoteAddress => address(record.client, out),
        Operator::DownstreamRemoteAddressWithoutPort => ip(record.client.ip(), out),
        Operator::DownstreamRemotePort => number(u64::from(record.client.port()), out),
        Operator::DownstreamDirectRemoteAddress => address(record.peer, out),
        Operator::DownstreamDirectRemoteAddressWithoutPort => ip(record.peer.ip(), out),
        Operator::DownstreamLocalAddress => address(record.local, out),
        Operator::DownstreamLocalAddressWithoutPort => ip(record.local.ip(), out),
        Operator::DownstreamLocalPort => number(u64::from(record.local.port()), out),
        Operator::RequestedServerName => text(record.server_name.as_deref().unwrap_or_default(), out),
        Operator::RouteName => text(record.route(), out),
        Operator::ObjectName => text(record.origin(), out),
        Operator::VirtualHostName => text(record.virtual_host(), out),
        Operator::ListenerName => text(record.listener(), out),
        Operator::ConnectionId => number(record.connection, out),
        Operator::StreamId => text(record.request_id(), out),
        Operator::Hostname => text(facts.hostname, out),
    }
}

fn request_field(field: &RequestField, facts: &Facts<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    match field {
        RequestField::Header(name) => {
            if let Some(value) = facts.request.first(name.as_str()) {
                out.extend_from_slice(value);
                return true;
            }
        }
        RequestField::Method => text(&facts.record.method, out),
        RequestField::Path => text(&facts.record.path, out),
        RequestField::Authority => text(&facts.record.authority, out),
        RequestField::Scheme => text(facts.record.scheme, out),
    }
    out.len() > start
}

fn field(fields: &dyn Fields, name: &HeaderName, otherwise: Option<&HeaderName>, out: &mut Vec<u8>) {
    let value =
        fields.first(name.as_str()).or_else(|| otherwise.and_then(|name| fields.first(name.as_str())));
    out.extend_from_slice(value.unwrap_or_default());
}

fn query(path: &str) -> Option<&str> {
    path.split_once('?').map(|(_, query)| query)
}

fn text(value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(value.as_bytes());
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn millis(value: Option<Duration>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        number(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), out);
    }
}

fn address(address: SocketAddr, out: &mut Vec<u8>) {
    // Writing into a Vec cannot fail.
    let _ = write!(out, "{address}");
}

fn ip(address: IpAddr, out: &mut Vec<u8>) {
    let _ = write!(out, "{address}");
}

// === Time ===

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment in UTC, taken apart.
struct Civil {
    year: i64,
    month: u64,
    day: u64,
    weekday: &'static str,
    second_of_day: u64,
}

/// Days since 1970 to a date, by Howard Hinnant's `civil_from_days`.
fn civil(seconds: u64) -> Civil {
    let days = seconds / 86_400;
    let shifted = days as i64 + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097) as u64;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era as i64 + era * 400 + i64::from(month <= 2);
    Civil { year, month, day, weekday: WEEKDAYS[(days % 7) as usize], second_of_day: seconds % 86_400 }
}

fn time(moment: SystemTime, format: Option<&TimeFormat>, out: &mut Vec<u8>) {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let civil = civil(since.as_secs());
    let Some(format) = format else {
        padded(civil.year.unsigned_abs(), 4, out);
        let rest = [
            ("-", civil.month, 2),
            ("-", civil.day, 2),
            ("T", civil.second_of_day / 3_600, 2),
            (":", civil.second_of_day / 60 % 60, 2),
            (":", civil.second_of_day % 60, 2),
            (".", u64::from(since.subsec_millis()), 3),
        ];
        for (separator, value, width) in rest {
            text(separator, out);
            padded(value, width, out);
        }
        text("Z", out);
        return;
    };
    format.parts().iter().for_each(|part| time_part(part, since, &civil, out));
}

fn time_part(part: &TimePart, since: Duration, civil: &Civil, out: &mut Vec<u8>) {
    match part {
        TimePart::Literal(literal) => text(literal, out),
        TimePart::Year => padded(civil.year.unsigned_abs(), 4, out),
        TimePart::Month => padded(civil.month, 2, out),
        TimePart::MonthName => text(MONTHS[(civil.month as usize + 11) % 12], out),
        TimePart::Day => padded(civil.day, 2, out),
        TimePart::WeekdayName => text(civil.weekday, out),
        TimePart::Hour => padded(civil.second_of_day / 3_600, 2, out),
        TimePart::Minute => padded(civil.second_of_day / 60 % 60, 2, out),
        TimePart::Second => padded(civil.second_of_day % 60, 2, out),
        TimePart::Fraction(digits) => {
            let digits = (*digits).min(9);
            padded(u64::from(since.subsec_nanos()) / 10_u64.pow(9 - u32::from(digits)), digits, out);
        }
        TimePart::Unix(digits) => {
            number(since.as_secs(), out);
            let digits = (*digits).min(9);
            if digits > 0 {
                padded(u64::from(since.subsec_nanos()) / 10_u64.pow(9 - u32::from(digits)), digits, out);
            }
        }
    }
}

fn padded(value: u64, width: u8, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    for _ in digits.len()..usize::from(width) {
        out.push(b'0');
    }
    text(digits, out);
}

#[cfg(test)]
mod tests;
