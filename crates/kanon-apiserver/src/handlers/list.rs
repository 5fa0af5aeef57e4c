//! GET of a collection: read under the lock in a moment, written piece by piece. Stored objects go out as the shared bytes that
//! they are; what must be made for the answer (rows of tables, metadata, indentation) is made as the client takes it, so that a
//! list of any length holds pointers and one piece of text.

use std::{sync::Arc, vec};

use bytes::Bytes;
use http::StatusCode;
use kanon_apimachinery::{
    list::{self, Listing, TAIL},
    negotiate::{self, Encoding, Form},
    request::{ListOptions, Resolved},
    resource::Resource,
    status::Result,
    table::Rows,
};
use kanon_store::Entry;

use super::read;
use crate::{body::Body, core::Core, indent::Indenter, reply::Reply, service::Asked};

/// Bytes made at a time, about.
const CHUNK: usize = 32 << 10;

pub(super) async fn list(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let answer = negotiate::answer(&asked.info.accept)?;
    let options = asked.info.list_options(resource, false)?;
    if options.continue_token.is_empty() {
        read::wait_for(core, options.version).await?;
    }
    let namespace = address.object_namespace();
    let mut listing = core.storage.read(|memory| list::read(memory, resource, namespace, &options))?;
    listing.entries = core.all_shown(resource, listing.entries).await?;
    let is_pretty = asked.info.is_pretty();
    let is_plain = !is_pretty && answer.form == Form::Object && resource.serves_stored_form();
    if answer.encoding == Encoding::Json && !is_plain && !asked.answer_is_recorded {
        let (head, item) = items(core, resource, &listing, answer.form, &options);
        let items = Items { head: Some(head), entries: listing.entries.into_iter(), item, first: true, ended: false };
        let mut reply = Reply::new(StatusCode::OK, answer.encoding.content_type(), Bytes::new());
        reply.body = items.body(is_pretty);
        return Ok(reply);
    }
    let pieces = match answer.form {
        Form::Object => listing.objects(resource),
        Form::Partial(version) => listing.partial(version),
        Form::Table(version) => {
            let include = options.include_object;
            Rows { resource, include, version, now: core.now().wall }.list(&listing)
        }
    };
    if answer.encoding == Encoding::Json && !is_pretty {
        let mut reply = Reply::new(StatusCode::OK, answer.encoding.content_type(), Bytes::new());
        reply.body = Body::pieces(pieces);
        return Ok(reply);
    }
    let text = pieces.concat().into();
    Ok(Reply::json(StatusCode::OK, answer.encoding, is_pretty, text))
}

type Item = Box<dyn Fn(&Entry) -> Bytes + Send>;

/// The head of a list in a form, and what makes its items.
fn items(core: &Core, resource: &Arc<Resource>, listing: &Listing, form: Form, options: &ListOptions) -> (Bytes, Item) {
    let resource = Arc::clone(resource);
    match form {
        Form::Object => {
            (listing.objects_head(&resource), Box::new(move |it| resource.served(&it.object).text().clone()))
        }
        Form::Partial(version) => {
            (listing.partial_head(version), Box::new(move |it| list::partial(&it.object, version)))
        }
        Form::Table(version) => {
            let (include, now) = (options.include_object, core.now().wall);
            let head = Rows { resource: &resource, include, version, now }.list_head(listing);
            (head, Box::new(move |it| Rows { resource: &resource, include, version, now }.row(&it.object)))
        }
    }
}

/// A list on its way out.
struct Items {
    head: Option<Bytes>,
    entries: vec::IntoIter<Arc<Entry>>,
    item: Item,
    first: bool,
    ended: bool,
}

impl Items {
    /// The next part of the text; none after the end.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut text = Vec::with_capacity(CHUNK + CHUNK / 4);
        text.extend_from_slice(&self.head.take().unwrap_or_default());
        while text.len() < CHUNK {
            let Some(entry) = self.entries.next() else {
                text.extend_from_slice(&TAIL);
                self.ended = true;
                break;
            };
            if !std::mem::take(&mut self.first) {
                text.push(b',');
            }
            text.extend_from_slice(&(self.item)(&entry));
        }
        Some(text)
    }

    fn body(mut self, is_pretty: bool) -> Body {
        let mut indenter = is_pretty.then(Indenter::default);
        Body::made(move || {
            let text = self.next()?;
            let Some(indenter) = &mut indenter else { return Some(text) };
            let mut out = Vec::with_capacity(text.len() * 2);
            indenter.push(&text, &mut out);
            if self.ended {
                out.push(b'\n');
            }
            Some(out)
        })
    }
}
