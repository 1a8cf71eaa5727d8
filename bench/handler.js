// The functions that are invoked, in JavaScript; named `app.js` in the deployment package. See handler.py.
'use strict';

// Answer a constant: what remains is the cost of the road.
exports.hello = async () => ({ statusCode: 200, body: 'hello' });

// Tell which interpreter and which runtime client run this, so that yardsticks use the very same.
exports.probe = async () => ({ interpreter: process.execPath, client: process.env.LAMBDA_RUNTIME_DIR });
