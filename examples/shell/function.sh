# Greets, and shows what a function learns about the invocation that it serves.
#
# The event is on standard input, the answer goes to standard output, what goes to standard error is logged.
handler() {
    event=$(cat)
    case $event in
        *'"name"'*) name=$(printf '%s' "$event" | sed 's/.*"name": *"\([^"]*\)".*/\1/') ;;
        *) name=world ;;
    esac
    if [ -z "$name" ]; then
        echo "an empty name" >&2
        return 1
    fi
    echo "about to greet $name" >&2
    printf '{"greeting": "Hello, %s!", "function": "%s", "version": "%s", "request_id": "%s", "memory_mib": %s}' \
        "$name" "$AWS_LAMBDA_FUNCTION_NAME" "$AWS_LAMBDA_FUNCTION_VERSION" "$REQUEST_ID" \
        "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
}
