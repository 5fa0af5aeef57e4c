//! Reviews: questions that are answered and not stored (spec/kubernetes-api.md 4.12).

use http::StatusCode;
use kanon_apimachinery::{
    admission::Attributes,
    decode,
    request::Resolved,
    reviews::{self, Knowledge},
    status::Result,
    write::{Context, create},
};
use kanon_core::Operation;
use serde_json::Value;

use crate::{core::Core, reply::Reply, service::Asked};

pub(super) async fn create(core: &Core, asked: &Asked, target: &Resolved) -> Result<Reply> {
    let Resolved { resource, address, .. } = target;
    let options = asked.info.write_options("CreateOptions")?;
    let ctx = Context { resource, address, options: &options, now: core.now().wall };
    let body = decode::object(resource, &asked.info.content_type, &asked.body)?;
    // Decoded as any other object, though nobody will own its fields.
    let prepared = create::prepare(&ctx, body)?;
    asked.warnings.add(prepared.warnings);
    let mut question = prepared.object;
    if let Value::Object(metadata) = &mut question["metadata"] {
        metadata.remove("managedFields");
    }
    let review_options = options.to_value("CreateOptions");
    let attributes = Attributes {
        operation: Operation::Create,
        resource,
        address,
        kind: &resource.gvk,
        options: &review_options,
        dry_run: options.dry_run,
        user: &asked.user,
    };
    let hooks = core.hooks();
    let (question, _) = core.mutate(&hooks, &attributes, question, None, &asked.warnings).await?;
    core.validate(&hooks, &attributes, Some(&question), None, &asked.warnings).await?;
    let rules = core.rules();
    let known = Knowledge { rules: &rules, authenticate: &|token, audiences| core.review_token(token, audiences) };
    let answer = reviews::answer(resource, question, &asked.user, address.object_namespace(), &known)?;
    super::json(asked, StatusCode::CREATED, &answer)
}
