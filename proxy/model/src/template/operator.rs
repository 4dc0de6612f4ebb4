//! The variables of a template.

use super::TimeFormat;
use crate::value::HeaderName;
use std::fmt;

/// A variable. Names and meanings are Envoy's access-log operators unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// `REQ(X?Y)`: a request field as it arrived; `Y` where `X` is absent.
    Req(RequestField, Option<RequestField>),
    /// `RESP(X?Y)`: a field of the answer's head, as the upstream sent it.
    Resp(HeaderName, Option<HeaderName>),
    /// `TRAILER(X?Y)`: a trailer of the answer.
    Trailer(HeaderName, Option<HeaderName>),
    /// `QUERY_PARAM(X)`: the first value of a query parameter, as sent.
    QueryParam(Box<str>),
    /// `COOKIE(X)`: the first value of a cookie.
    Cookie(Box<str>),
    /// `HOST` (ours): the host that the client asked for, in lower case and without a port (nginx `$host`).
    Host,
    /// `PATH` (ours): the path in the normal form that routes are compared with, without the query.
    Path,
    /// `QUERY` (ours): the query as received, without the `?`.
    Query,
    /// `QUERY_MARK` (ours): `?` where there is a query that is not empty.
    QueryMark,
    /// `FORWARDED_FOR` (ours): `x-forwarded-for` as it came with the client behind it (nginx
    /// `$proxy_add_x_forwarded_for`).
    ForwardedFor,
    /// `LISTENER_PORT` (ours): the port of the listener as clients know it.
    ListenerPort,
    /// `START_TIME` or `START_TIME(%Y-%m-%d)`: when the request began, in UTC; without a format as
    /// `2016-04-15T20:17:00.310Z`.
    StartTime(Option<TimeFormat>),
    /// `PROTOCOL`: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    Protocol,
    /// `RESPONSE_CODE`: the status; 0 where no answer was begun.
    ResponseCode,
    /// `RESPONSE_CODE_DETAILS`: why the status is what it is, `via_upstream` when the upstream said it.
    ResponseCodeDetails,
    /// `RESPONSE_FLAGS`: short names such as `UH`, separated by commas.
    ResponseFlags,
    /// `CONNECTION_TERMINATION_DETAILS`: why the proxy cut the connection.
    ConnectionTerminationDetails,
    /// `BYTES_RECEIVED`: body bytes from the client.
    BytesReceived,
    /// `BYTES_SENT`: body bytes to the client.
    BytesSent,
    /// `DURATION`: milliseconds from the start to the last byte out.
    Duration,
    /// `REQUEST_DURATION`: milliseconds from the start to the last byte of the request.
    RequestDuration,
    /// `RESPONSE_DURATION`: milliseconds from the start to the first byte of the upstream's answer.
    ResponseDuration,
    /// `RESPONSE_TX_DURATION`: milliseconds from the first byte of the upstream's answer to the last byte out.
    ResponseTxDuration,
    /// `UPSTREAM_HOST`: address and port of the endpoint.
    UpstreamHost,
    /// `UPSTREAM_CLUSTER`: the cluster.
    UpstreamCluster,
    /// `UPSTREAM_REQUEST_ATTEMPT_COUNT`: how often the request was sent; 0 where it was not.
    UpstreamRequestAttemptCount,
    /// `UPSTREAM_TRANSPORT_FAILURE_REASON`: why TLS or connecting to the endpoint failed.
    UpstreamTransportFailureReason,
    /// `DOWNSTREAM_REMOTE_ADDRESS`: the client, as trust settles it, with port.
    DownstreamRemoteAddress,
    /// `DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT`.
    DownstreamRemoteAddressWithoutPort,
    /// `DOWNSTREAM_REMOTE_PORT`.
    DownstreamRemotePort,
    /// `DOWNSTREAM_DIRECT_REMOTE_ADDRESS`: the peer of the connection, with port.
    DownstreamDirectRemoteAddress,
    /// `DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT`.
    DownstreamDirectRemoteAddressWithoutPort,
    /// `DOWNSTREAM_LOCAL_ADDRESS`: where the connection was accepted, with port.
    DownstreamLocalAddress,
    /// `DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT`.
    DownstreamLocalAddressWithoutPort,
    /// `DOWNSTREAM_LOCAL_PORT`.
    DownstreamLocalPort,
    /// `REQUESTED_SERVER_NAME`: the server name of the TLS handshake.
    RequestedServerName,
    /// `ROUTE_NAME`: the route.
    RouteName,
    /// `OBJECT_NAME`: the Kubernetes object that the route comes from, `Ingress shop/web`.
    ObjectName,
    /// `VIRTUAL_HOST_NAME` (ours): the virtual host.
    VirtualHostName,
    /// `LISTENER_NAME` (ours): the listener.
    ListenerName,
    /// `CONNECTION_ID`: a number that is unique in the process.
    ConnectionId,
    /// `STREAM_ID`: the request id.
    StreamId,
    /// `HOSTNAME`: the machine.
    Hostname,
}

/// A part of a request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestField {
    /// A header field.
    Header(HeaderName),
    /// `:METHOD`.
    Method,
    /// `:PATH`: path and query as received.
    Path,
    /// `:AUTHORITY`: the host, with its port where one was sent.
    Authority,
    /// `:SCHEME`: `http` or `https`.
    Scheme,
}

/// When a variable can be known. The order is the order of a request's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// When the request is sent up.
    Request,
    /// When the head of the answer is sent down.
    Response,
    /// When the request is over.
    Finished,
}

// === impl Operator ===

/// The operators without an argument.
const PLAIN: [(&str, Operator); 37] = [
    ("PROTOCOL", Operator::Protocol),
    ("RESPONSE_CODE", Operator::ResponseCode),
    ("RESPONSE_CODE_DETAILS", Operator::ResponseCodeDetails),
    ("RESPONSE_FLAGS", Operator::ResponseFlags),
    ("CONNECTION_TERMINATION_DETAILS", Operator::ConnectionTerminationDetails),
    ("BYTES_RECEIVED", Operator::BytesReceived),
    ("BYTES_SENT", Operator::BytesSent),
    ("DURATION", Operator::Duration),
    ("REQUEST_DURATION", Operator::RequestDuration),
    ("RESPONSE_DURATION", Operator::ResponseDuration),
    ("RESPONSE_TX_DURATION", Operator::ResponseTxDuration),
    ("UPSTREAM_HOST", Operator::UpstreamHost),
    ("UPSTREAM_CLUSTER", Operator::UpstreamCluster),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", Operator::UpstreamRequestAttemptCount),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", Operator::UpstreamTransportFailureReason),
    ("DOWNSTREAM_REMOTE_ADDRESS", Operator::DownstreamRemoteAddress),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Operator::DownstreamRemoteAddressWithoutPort),
    ("DOWNSTREAM_REMOTE_PORT", Operator::DownstreamRemotePort),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Operator::DownstreamDirectRemoteAddress),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Operator::DownstreamDirectRemoteAddressWithoutPort),
    ("DOWNSTREAM_LOCAL_ADDRESS", Operator::DownstreamLocalAddress),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Operator::DownstreamLocalAddressWithoutPort),
    ("DOWNSTREAM_LOCAL_PORT", Operator::DownstreamLocalPort),
    ("REQUESTED_SERVER_NAME", Operator::RequestedServerName),
    ("ROUTE_NAME", Operator::RouteName),
    ("OBJECT_NAME", Operator::ObjectName),
    ("VIRTUAL_HOST_NAME", Operator::VirtualHostName),
    ("LISTENER_NAME", Operator::ListenerName),
    ("CONNECTION_ID", Operator::ConnectionId),
    ("STREAM_ID", Operator::StreamId),
    ("HOSTNAME", Operator::Hostname),
    ("HOST", Operator::Host),
    ("PATH", Operator::Path),
    ("QUERY", Operator::Query),
    ("QUERY_MARK", Operator::QueryMark),
    ("FORWARDED_FOR", Operator::ForwardedFor),
    ("LISTENER_PORT", Operator::ListenerPort),
];

/// Those with one.
const WITH_ARGUMENT: [&str; 6] = ["REQ", "RESP", "TRAILER", "START_TIME", "QUERY_PARAM", "COOKIE"];

impl Operator {
    /// The operator of this name, where it needs no argument.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "START_TIME" {
            return Some(Self::StartTime(None));
        }
        PLAIN.iter().find(|(known, _)| *known == name).map(|(_, operator)| operator.clone())
    }

    /// All names.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        WITH_ARGUMENT.into_iter().chain(PLAIN.iter().map(|(name, _)| *name))
    }

    /// The name, without arguments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Req(..) => "REQ",
            Self::Resp(..) => "RESP",
            Self::Trailer(..) => "TRAILER",
            Self::StartTime(_) => "START_TIME",
            Self::QueryParam(_) => "QUERY_PARAM",
            Self::Cookie(_) => "COOKIE",
            _ => PLAIN.iter().find(|(_, operator)| operator == self).map_or("", |(name, _)| *name),
        }
    }

    /// When it is known at the earliest. Where a template is evaluated before that, the variable is empty.
    pub fn known(&self) -> Moment {
        match self {
            Self::Resp(..)
            | Self::ResponseCode
            | Self::ResponseCodeDetails
            | Self::ResponseFlags
            | Self::ResponseDuration
            | Self::UpstreamTransportFailureReason => Moment::Response,
            Self::Trailer(..)
            | Self::BytesReceived
            | Self::BytesSent
            | Self::Duration
            | Self::RequestDuration
            | Self::ResponseTxDuration
            | Self::ConnectionTerminationDetails => Moment::Finished,
            _ => Moment::Request,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        match self {
            Self::Req(first, None) => write!(out, "({first})"),
            Self::Req(first, Some(second)) => write!(out, "({first}?{second})"),
            Self::Resp(first, None) | Self::Trailer(first, None) => write!(out, "({first})"),
            Self::Resp(first, Some(second)) | Self::Trailer(first, Some(second)) => {
                write!(out, "({first}?{second})")
            }
            Self::StartTime(Some(format)) => write!(out, "({format})"),
            Self::QueryParam(name) | Self::Cookie(name) => write!(out, "({name})"),
            _ => Ok(()),
        }
    }
}

// === impl RequestField ===

impl fmt::Display for RequestField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => name.fmt(out),
            Self::Method => out.write_str(":METHOD"),
            Self::Path => out.write_str(":PATH"),
            Self::Authority => out.write_str(":AUTHORITY"),
            Self::Scheme => out.write_str(":SCHEME"),
        }
    }
}
