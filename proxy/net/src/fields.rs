//! Header fields of either codec behind one copyable value, without a virtual call.

use http::HeaderMap;
use sluice_core::head::{BlockFields, MapFields, Received, ReceivedField};
use sluice_filter::Fields;
use sluice_http1::FieldsView;

/// The fields of a head or of trailers, in the codec's own form.
#[derive(Clone, Copy)]
pub(crate) enum HeadFields<'a> {
    /// None at all.
    Empty,
    /// Bytes and an index.
    Http1(FieldsView<'a>),
    /// A map.
    Http2(&'a HeaderMap),
}

impl Fields for HeadFields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Empty => None,
            Self::Http1(view) => view.get(name.as_bytes()),
            Self::Http2(map) => map.get(name).map(http::HeaderValue::as_bytes),
        }
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        match self {
            Self::Empty => {}
            Self::Http1(view) => view.iter().for_each(|field| visit(field.name, field.value)),
            Self::Http2(map) => MapFields(map).each(visit),
        }
    }

    fn each_value(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Empty => {}
            Self::Http1(view) => view.all(name.as_bytes()).for_each(visit),
            Self::Http2(map) => MapFields(map).each_value(name, visit),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Http1(view) => view.len(),
            Self::Http2(map) => map.len(),
        }
    }
}

impl Received for HeadFields<'_> {
    fn each_received(&self, visit: &mut dyn FnMut(&ReceivedField<'_>)) {
        match self {
            Self::Empty => {}
            Self::Http1(view) => BlockFields(*view).each_received(visit),
            Self::Http2(map) => MapFields(map).each_received(visit),
        }
    }
}
