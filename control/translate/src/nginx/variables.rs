//! nginx's variables in values of header fields, hosts and URLs, as templates of the model have them.

use sluice_crds::core::ServiceBackendPort;
use sluice_model::{
    convert::brief,
    template::{Moment, Segment, Template},
};

/// What the variables stand for that an object settles, whatever the request. Empty where no object has anything to say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place<'p> {
    pub(crate) namespace: &'p str,
    pub(crate) ingress: &'p str,
    pub(crate) service: &'p str,
    pub(crate) port: Option<&'p ServiceBackendPort>,
    /// As nginx names it: `_` for hosts that nobody has.
    pub(crate) host: &'p str,
    pub(crate) path: &'p str,
}

/// Variables, and the operators of the model that have their values.
const OPERATORS: [(&str, &str); 32] = [
    ("args", "QUERY"),
    ("best_http_host", "REQ(:AUTHORITY)"),
    ("connection", "CONNECTION_ID"),
    ("content_length", "REQ(content-length)"),
    ("content_type", "REQ(content-type)"),
    ("document_uri", "PATH"),
    ("host", "HOST"),
    ("hostname", "HOSTNAME"),
    ("http_host", "REQ(:AUTHORITY)"),
    ("is_args", "QUERY_MARK"),
    ("msec", "START_TIME(%s.%3f)"),
    ("pass_access_scheme", "REQ(:SCHEME)"),
    ("pass_port", "LISTENER_PORT"),
    ("pass_server_port", "LISTENER_PORT"),
    ("proxy_add_x_forwarded_for", "FORWARDED_FOR"),
    ("query_string", "QUERY"),
    ("remote_addr", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"),
    ("remote_port", "DOWNSTREAM_REMOTE_PORT"),
    ("req_id", "STREAM_ID"),
    ("request_id", "STREAM_ID"),
    ("request_method", "REQ(:METHOD)"),
    ("request_uri", "REQ(:PATH)"),
    ("scheme", "REQ(:SCHEME)"),
    ("server_addr", "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT"),
    ("server_port", "LISTENER_PORT"),
    ("server_protocol", "PROTOCOL"),
    ("ssl_server_name", "REQUESTED_SERVER_NAME"),
    ("status", "RESPONSE_CODE"),
    ("the_real_ip", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"),
    ("time_iso8601", "START_TIME(%Y-%m-%dT%H:%M:%S+00:00)"),
    ("upstream_addr", "UPSTREAM_HOST"),
    ("uri", "PATH"),
];

/// A text with variables as a template that is evaluated at a moment. The error completes "it ...", with the names of the
/// variables that cannot be had then.
pub(crate) fn template(text: &str, place: &Place<'_>, moment: Moment) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut unknown: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        literal(&rest[..at], &mut out);
        let (name, behind) = name(&rest[at + 1..]);
        rest = behind;
        if let Some(text) = of_place(name, place) {
            literal(&text, &mut out);
            continue;
        }
        match operator(name) {
            Some(operator) if is_known(&operator, moment) => {
                out.push('%');
                out.push_str(&operator);
                out.push('%');
            }
            _ if unknown.contains(&name) => {}
            _ => unknown.push(name),
        }
    }
    literal(rest, &mut out);
    if unknown.is_empty() {
        return Ok(out);
    }
    let names: Vec<String> = unknown.iter().map(|name| format!("`${}`", brief(name))).collect();
    let variables = if names.len() == 1 { "the variable" } else { "the variables" };
    Err(format!("holds {variables} {}, which cannot be had here", names.join(", ")))
}

/// Whether a template has the same value for every request.
pub(crate) fn is_constant(template: &str) -> bool {
    template.parse::<Template>().is_ok_and(|template| template.as_literal().is_some())
}

fn literal(text: &str, out: &mut String) {
    out.push_str(&text.replace('%', "%%"));
}

/// The name behind a `$`, perhaps in braces, and what stands behind it.
fn name(text: &str) -> (&str, &str) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        Some((name, behind)) if name.chars().all(word) => (name, behind),
        _ => text.split_at(text.find(|c| !word(c)).unwrap_or(text.len())),
    }
}

fn of_place(name: &str, place: &Place<'_>) -> Option<String> {
    Some(match name {
        "namespace" => place.namespace.to_owned(),
        "ingress_name" => place.ingress.to_owned(),
        "service_name" => place.service.to_owned(),
        "service_port" => match place.port {
            Some(port) if port.number != 0 => port.number.to_string(),
            Some(port) => port.name.clone(),
            None => String::new(),
        },
        "location_path" => place.path.to_owned(),
        "server_name" => place.host.to_owned(),
        _ => return None,
    })
}

fn operator(name: &str) -> Option<String> {
    if let Ok(found) = OPERATORS.binary_search_by_key(&name, |(known, _)| known) {
        return Some(OPERATORS[found].1.to_owned());
    }
    let behind = |start: &str| name.strip_prefix(start).filter(|rest| !rest.is_empty());
    if let Some(header) = behind("http_") {
        return Some(format!("REQ({})", header.replace('_', "-")));
    }
    if let Some(header) = behind("sent_http_").or_else(|| behind("upstream_http_")) {
        return Some(format!("RESP({})", header.replace('_', "-")));
    }
    let query = behind("arg_").map(|parameter| format!("QUERY_PARAM({parameter})"));
    query.or_else(|| behind("cookie_").map(|cookie| format!("COOKIE({cookie})")))
}

fn is_known(operator: &str, moment: Moment) -> bool {
    let Ok(template) = format!("%{operator}%").parse::<Template>() else { return false };
    template.segments().iter().all(|segment| match segment {
        Segment::Literal(_) => true,
        Segment::Variable { operator, .. } => operator.known() <= moment,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<String, String> {
        template(text, &Place::default(), Moment::Request)
    }

    #[test]
    fn every_variable_of_the_table_is_found_and_has_an_operator_of_the_model() {
        assert!(OPERATORS.is_sorted());
        for (name, operator) in OPERATORS {
            assert_eq!(super::operator(name).as_deref(), Some(operator));
            assert!(is_known(operator, Moment::Response), "{name}");
        }
    }

    #[test]
    fn text_stays_and_variables_become_operators() {
        assert_eq!(
            request("100% of ${host}$uri$is_args$args").unwrap(),
            "100%% of %HOST%%PATH%%QUERY_MARK%%QUERY%"
        );
        assert_eq!(
            request("$http_x_user $cookie_sid $arg_q").unwrap(),
            "%REQ(x-user)% %COOKIE(sid)% %QUERY_PARAM(q)%"
        );
        assert!(is_constant("100%%") && !is_constant("%HOST%"));
    }

    #[test]
    fn what_the_object_settles_is_put_in() {
        let port = ServiceBackendPort { number: 8080, ..ServiceBackendPort::default() };
        let place = Place {
            namespace: "shop",
            ingress: "web",
            service: "cart",
            port: Some(&port),
            host: "a.example",
            path: "/50%",
        };
        let text = "$service_name.$namespace:$service_port $ingress_name $server_name$location_path";
        assert_eq!(template(text, &place, Moment::Request).unwrap(), "cart.shop:8080 web a.example/50%%");
    }

    #[test]
    fn what_cannot_be_had_is_named_once_each() {
        let said = request("$1 ${lua_x} $status $lua_x $host").unwrap_err();
        assert_eq!(said, "holds the variables `$1`, `$lua_x`, `$status`, which cannot be had here");
        assert_eq!(template("$status", &Place::default(), Moment::Response).unwrap(), "%RESPONSE_CODE%");
        assert!(request("5 $").unwrap_err().contains("the variable `$`,"));
        assert!(request("$upstream_http_x").is_err());
    }
}
