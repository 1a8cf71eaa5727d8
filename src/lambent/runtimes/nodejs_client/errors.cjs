/* What goes wrong in a function, and the body that tells of it. */
'use strict';

const { types } = require('util');

/** Return a class of errors whose name, also in traces, is `Runtime.<type>`. */
function named(type) {
  const made = class extends Error {};
  Object.defineProperty(made, 'name', { value: type });
  made.prototype.name = `Runtime.${type}`;
  return made;
}

const CallbackHandlerDeprecated = named('CallbackHandlerDeprecated');
const HandlerNotFound = named('HandlerNotFound');
const ImportModuleError = named('ImportModuleError');
const InvalidStreamingOperation = named('InvalidStreamingOperation');
const JSONStringifyError = named('JSONStringifyError');
const MalformedHandlerName = named('MalformedHandlerName');
const MalformedStreamingHandler = named('MalformedStreamingHandler');
const UserCodeSyntaxError = named('UserCodeSyntaxError');

class UnhandledPromiseRejection extends named('UnhandledPromiseRejection') {
  constructor(reason, promise) {
    super(textOf(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

function textOf(value) {
  try {
    return String(value);
  } catch {
    return 'a value that has no text';
  }
}

/** Whether something is an error, also one that was made in another context of the same process. */
function isError(value) {
  return (
    value instanceof Error ||
    types.isNativeError(value) ||
    ['name', 'message', 'stack'].every((member) => value?.[member] && typeof value[member] === 'string')
  );
}

/** Return `value` if it is an error, else one with its text. */
function intoError(value) {
  return value instanceof Error ? value : new Error(textOf(value));
}

/** Return what the caller gets: `{errorType, errorMessage, trace}`, the trace line by line. */
function bodyOf(error) {
  try {
    if (isError(error)) {
      const { name, message, stack } = error;
      return { errorType: name, errorMessage: message, trace: typeof stack === 'string' ? stack.split('\n') : [] };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    const text =
      'callback called with Error argument, but there was a problem while retrieving one or more of its message, ' +
      'name, and stack';
    return { errorType: 'handled', errorMessage: text, trace: [] };
  }
}

/** Return what a text log says of an error: JSON with all its own members and those of errors in it. */
function describe(error) {
  const told = (_, value) => {
    if (!(value instanceof Error)) {
      return value;
    }
    const { name, message, code, stack } = value;
    const members = Object.assign({ errorType: name, errorMessage: message, code }, value);
    return typeof stack === 'string' ? { ...members, stack: stack.split('\n') } : members;
  };
  try {
    return JSON.stringify(error, told);
  } catch {
    // It holds itself, or a BigInt.
    return JSON.stringify(bodyOf(error));
  }
}

module.exports = {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  InvalidStreamingOperation,
  JSONStringifyError,
  MalformedHandlerName,
  MalformedStreamingHandler,
  UnhandledPromiseRejection,
  UserCodeSyntaxError,
  bodyOf,
  describe,
  intoError,
};
