//! Greets, and shows what a function learns about the invocation that it serves.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let name = payload["name"].as_str().unwrap_or("world");
    if name.is_empty() {
        return Err("an empty name".into());
    }
    println!("about to greet {name}"); // What a function prints goes to its log.
    Ok(json!({
        "greeting": format!("Hello, {name}!"),
        "function": context.env_config.function_name,
        "version": context.env_config.version,
        "request_id": context.request_id,
        "memory_mib": context.env_config.memory,
    }))
}

// One invocation at a time: an environment needs no second thread.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
