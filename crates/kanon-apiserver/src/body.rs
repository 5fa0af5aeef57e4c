//! What goes out: one piece, many pieces gathered on the way, or a stream that ends when it likes.

mod gzip;

use std::{
    any::Any,
    collections::VecDeque,
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use hyper::body::{Frame, SizeHint};

pub(crate) use gzip::is_accepted as accepts_gzip;

/// Small pieces are gathered up to this many bytes: a frame on the wire costs more than a copy in memory.
const GATHER: usize = 64 << 10;

/// The body of an answer.
pub struct Body {
    kind: Kind,
    /// Whether a stream is a large one that is not waited for: worth compressing.
    is_large: bool,
    /// Dropped with the body: places, notes for the end.
    held: Vec<Box<dyn Any + Send>>,
}

enum Kind {
    Whole(Option<Bytes>),
    Pieces { pieces: VecDeque<Bytes>, left: u64 },
    Stream(Pin<Box<dyn Stream<Item = Vec<Bytes>> + Send>>, VecDeque<Bytes>),
}

impl Body {
    /// A body of one piece.
    pub fn whole(bytes: impl Into<Bytes>) -> Body {
        Body::of(Kind::Whole(Some(bytes.into())))
    }

    /// A body of many pieces, which stay shared until they are sent.
    pub fn pieces(pieces: Vec<Bytes>) -> Body {
        let left = pieces.iter().map(|it| it.len() as u64).sum();
        Body::of(Kind::Pieces { pieces: pieces.into(), left })
    }

    /// A body that grows: each item is sent as soon as it is there. It is asked for the next one only when the client has
    /// taken the last, so a slow client holds nothing but one item.
    pub fn stream(stream: impl Stream<Item = Vec<Bytes>> + Send + 'static) -> Body {
        Body::of(Kind::Stream(Box::pin(stream), VecDeque::new()))
    }

    /// A body that is made as the client takes it: in one go where it is small, else as a stream that is worth compressing.
    pub(crate) fn made(mut next: impl FnMut() -> Option<Vec<u8>> + Send + 'static) -> Body {
        let (mut begun, mut len) = (Vec::new(), 0);
        while len < gzip::WORTH {
            let Some(piece) = next() else { return Body::pieces(begun) };
            len += piece.len() as u64;
            begun.push(Bytes::from(piece));
        }
        let mut begun = Some(begun);
        let rest = futures_util::stream::iter(std::iter::from_fn(move || match begun.take() {
            Some(begun) => Some(begun),
            None => Some(vec![next()?.into()]),
        }));
        Body { is_large: true, ..Body::stream(rest) }
    }

    fn of(kind: Kind) -> Body {
        Body { kind, is_large: false, held: Vec::new() }
    }

    /// Keeps something until the body is sent or given up.
    pub(crate) fn hold(&mut self, it: impl Any + Send) {
        self.held.push(Box::new(it));
    }

    /// What of the body is there already, shared; nothing of a stream.
    pub(crate) fn shared(&self) -> Vec<Bytes> {
        match &self.kind {
            Kind::Whole(bytes) => bytes.iter().cloned().collect(),
            Kind::Pieces { pieces, .. } => pieces.iter().cloned().collect(),
            Kind::Stream(..) => Vec::new(),
        }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::of(Kind::Whole(None))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Whole(_) => "whole",
            Kind::Pieces { .. } => "pieces",
            Kind::Stream(..) => "stream",
        };
        out.debug_tuple("Body").field(&kind).finish()
    }
}

/// The first pieces as one; a large piece goes alone and uncopied.
fn gather(pieces: &mut VecDeque<Bytes>) -> Option<Bytes> {
    let first = pieces.pop_front()?;
    let fits = |len: usize, next: Option<&Bytes>| next.is_some_and(|it| len + it.len() <= GATHER);
    if !fits(first.len(), pieces.front()) {
        return Some(first);
    }
    let mut gathered = BytesMut::with_capacity(GATHER);
    gathered.extend_from_slice(&first);
    while fits(gathered.len(), pieces.front()) {
        let Some(piece) = pieces.pop_front() else { break };
        gathered.extend_from_slice(&piece);
    }
    Some(gathered.freeze())
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.get_mut().kind {
            Kind::Whole(bytes) => bytes.take().filter(|it| !it.is_empty()),
            Kind::Pieces { pieces, left } => {
                let piece = gather(pieces);
                *left -= piece.as_ref().map_or(0, |it| it.len() as u64);
                piece
            }
            Kind::Stream(stream, pieces) => loop {
                if let Some(piece) = gather(pieces) {
                    break Some(piece);
                }
                match stream.as_mut().poll_next(context) {
                    Poll::Ready(Some(next)) => pieces.extend(next),
                    Poll::Ready(None) => break None,
                    Poll::Pending => return Poll::Pending,
                }
            },
        };
        Poll::Ready(piece.map(|it| Ok(Frame::data(it))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Kind::Pieces { left, .. } => *left == 0,
            Kind::Stream(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64)),
            Kind::Pieces { left, .. } => SizeHint::with_exact(*left),
            Kind::Stream(..) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn all_kinds_deliver_every_byte_once() {
        let pieces: Vec<Bytes> = (0..200).map(|it| Bytes::from(vec![it as u8; it * 30])).collect();
        let want = pieces.concat();
        let halves = [pieces[..100].to_vec(), pieces[100..].to_vec()];
        for body in [
            Body::whole(want.clone()),
            Body::pieces(pieces),
            Body::stream(futures_util::stream::iter(halves)),
            Body::pieces(vec![Bytes::from(want.clone())]),
        ] {
            let exact = hyper::body::Body::size_hint(&body).exact();
            assert!(exact.is_none_or(|it| it == want.len() as u64), "{body:?}");
            assert_eq!(body.collect().await.expect("infallible").to_bytes(), want);
        }
        for len in [1, 300_000] {
            let text: Vec<u8> = (0..len).map(|it| (it % 251) as u8).collect();
            let mut pieces = text.chunks(1000).map(<[u8]>::to_vec).collect::<VecDeque<_>>();
            let body = Body::made(move || pieces.pop_front());
            assert_eq!(body.is_large, len > 1);
            assert_eq!(body.collect().await.expect("infallible").to_bytes(), text);
        }
        assert!(Body::default().collect().await.expect("infallible").to_bytes().is_empty());
    }
}
