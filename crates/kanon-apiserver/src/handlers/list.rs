//! GET of a collection: read under the lock in a moment, written piece by piece. Stored objects go out as the shared bytes that
//! they are; what must be made for the answer (rows of tables, metadata, indentation) is made as the client takes it, so that a
//! list of any length holds pointers and one piece of text.

use std::{sync::Arc, vec};

use bytes::Bytes;
use http::StatusCode;
use kanon_apimachinery::{
    list::{self, Listing, TAIL},
    negotiate::{self, Encoding, Form},
    protobuf::List,
    request::{ListOptions, Resolved},
    resource::Resource,
    status::{ApiError, Result},
    table::Rows,
};
use kanon_store::Entry;

use super::read;
use crate::{body::Body, core::Core, indent::Indenter, reply::Reply, service::Asked, yaml};

/// Bytes made at a time, about.
const CHUNK: usize = 32 << 10;
/// Bytes of protobuf that are kept while a list is measured.
const MEASURED: usize = 256 << 10;

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
    let is_made = match answer.encoding {
        // What is stored goes out as it is.
        Encoding::Json => is_pretty || answer.form != Form::Object || !resource.serves_stored_form(),
        Encoding::Yaml => true,
        // A table is one message of its own.
        Encoding::Protobuf => !matches!(answer.form, Form::Table(_)),
    };
    if is_made && !asked.answer_is_recorded {
        let (head, item) = items(core, resource, &listing, answer.form, &options);
        let items = Items::new(listing.entries, item);
        let (encoding, body) = match answer.encoding {
            Encoding::Yaml => {
                let member = if matches!(answer.form, Form::Table(_)) { "rows" } else { "items" };
                let body = items.yaml(&head, member);
                (Encoding::Yaml, body.ok_or_else(|| ApiError::internal("the list has no YAML form"))?)
            }
            Encoding::Json => (Encoding::Json, items.json(head, is_pretty)),
            Encoding::Protobuf => match List::of(&head).and_then(|list| Some((items.measured(&list)?, list))) {
                Some((measured, list)) => (Encoding::Protobuf, items.protobuf(list, measured)),
                // What has no other form than JSON is better than nothing.
                None => (Encoding::Json, items.json(head, false)),
            },
        };
        let mut reply = Reply::new(StatusCode::OK, encoding.content_type(), Bytes::new());
        reply.body = body;
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
    /// What comes before the items.
    opening: Bytes,
    entries: vec::IntoIter<Arc<Entry>>,
    item: Item,
    /// What stands between two items.
    separator: &'static [u8],
    /// What comes after them.
    closing: Bytes,
    first: bool,
    ended: bool,
}

/// How long the items of a list are in protobuf.
struct Measured {
    /// The first of them, ready to be sent, and how many they are.
    kept: Vec<u8>,
    made: usize,
    /// Bytes of all.
    len: usize,
}

impl Items {
    fn new(entries: Vec<Arc<Entry>>, item: Item) -> Items {
        let entries = entries.into_iter();
        Items { opening: Bytes::new(), entries, item, separator: b"", closing: Bytes::new(), first: true, ended: false }
    }

    /// The next part of the text; none after the end.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut text = Vec::with_capacity(CHUNK + CHUNK / 4);
        text.extend_from_slice(&std::mem::take(&mut self.opening));
        while text.len() < CHUNK {
            let Some(entry) = self.entries.next() else {
                text.extend_from_slice(&self.closing);
                self.ended = true;
                break;
            };
            if !std::mem::take(&mut self.first) {
                text.extend_from_slice(self.separator);
            }
            text.extend_from_slice(&(self.item)(&entry));
        }
        Some(text)
    }

    fn json(mut self, head: Bytes, is_pretty: bool) -> Body {
        (self.opening, self.separator, self.closing) = (head, b",", TAIL);
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

    /// The length of all items stands before the first. So each is made once to be measured; those that do not fit into
    /// [`MEASURED`] are made again when their turn comes. None where an item has no such form.
    fn measured(&self, list: &List) -> Option<Measured> {
        let mut measured = Measured { kept: Vec::new(), made: 0, len: 0 };
        for entry in self.entries.as_slice() {
            let item = list.item(&(self.item)(entry))?;
            // Once one does not fit, none does: what is kept is the beginning.
            if measured.len < MEASURED {
                measured.kept.extend_from_slice(&item);
                measured.made += 1;
            }
            measured.len += item.len();
        }
        Some(measured)
    }

    fn protobuf(mut self, list: List, measured: Measured) -> Body {
        let Measured { kept, made, len } = measured;
        self.entries.by_ref().take(made).for_each(drop);
        (self.opening, self.closing) = ([list.head(len), kept].concat().into(), List::TAIL);
        let item = self.item;
        // What was measured has this form.
        self.item = Box::new(move |entry| list.item(&item(entry)).unwrap_or_default().into());
        Body::made(move || self.next())
    }

    /// None where `head` is not that of a list of this member.
    fn yaml(mut self, head: &[u8], member: &str) -> Option<Body> {
        let frame = yaml::Frame::of(head, member, self.entries.len() == 0)?;
        (self.opening, self.closing) = (frame.opening, frame.closing);
        let item = self.item;
        self.item = Box::new(move |entry| yaml::element(&item(entry)));
        Some(Body::made(move || self.next()))
    }
}
