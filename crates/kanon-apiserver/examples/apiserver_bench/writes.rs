//! Durable creates, server-side apply, and reads of one object.

use http::Method;
use kanon_apiserver::TestServer;
use serde_json::json;

use crate::client::{MAPS, Res, admin, ask, call, rate};

fn map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"colour": "blue", "size": "1"}})
        .to_string()
}

pub(crate) async fn creates(server: &TestServer) -> Res<()> {
    for clients in [1, 16, 64, 256] {
        let service = server.running().admin_service();
        let rate = rate(clients, move |client, number| {
            let service = service.clone();
            let body = map(&format!("p{clients}-{client}-{number}"));
            async move { ask(&service, Method::POST, MAPS, "application/json", body).await.map(drop) }
        })
        .await?;
        println!("durable creates, in process, {clients} clients: {rate}");
    }
    for clients in [1, 16, 64] {
        let (https, url) = (admin(server)?, format!("{}{MAPS}", server.url()));
        let rate = rate(clients, move |client, number| {
            let (https, url) = (https.clone(), url.clone());
            let body = map(&format!("t{clients}-{client}-{number}"));
            async move { call(&https, Method::POST, &url, "application/json", body).await }
        })
        .await?;
        println!("durable creates, TLS, {clients} clients: {rate}");
    }
    Ok(())
}

pub(crate) async fn applies(server: &TestServer) -> Res<()> {
    for clients in [1, 16, 64] {
        let service = server.running().admin_service();
        let rate = rate(clients, move |client, number| {
            let service = service.clone();
            let path = format!("{MAPS}/a{client}?fieldManager=bench&force=true");
            let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("a{client}")},
                "data": {"colour": "blue", "size": number.to_string()}});
            async move {
                ask(&service, Method::PATCH, &path, "application/apply-patch+yaml", body.to_string()).await.map(drop)
            }
        })
        .await?;
        println!("server-side apply, in process, {clients} clients: {rate}");
    }
    Ok(())
}

pub(crate) async fn gets(server: &TestServer) -> Res<()> {
    let service = server.running().admin_service();
    ask(&service, Method::POST, MAPS, "application/json", map("get")).await?;
    for clients in [1, 16, 64] {
        let (https, url) = (admin(server)?, format!("{}{MAPS}/get", server.url()));
        let rate = rate(clients, move |_, _| {
            let (https, url) = (https.clone(), url.clone());
            async move { call(&https, Method::GET, &url, "", String::new()).await }
        })
        .await?;
        println!("GET, TLS, {clients} clients: {rate}");
    }
    let rate = rate(2, move |_, _| {
        let service = service.clone();
        async move { ask(&service, Method::GET, &format!("{MAPS}/get"), "", String::new()).await.map(drop) }
    })
    .await?;
    println!("GET, in process, 2 clients: {rate}");
    Ok(())
}
