// Hello greets, and shows what a function learns about the invocation that it serves.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name *string `json:"name"`
}

type answer struct {
	Greeting  string `json:"greeting"`
	Function  string `json:"function"`
	Version   string `json:"version"`
	RequestID string `json:"request_id"`
	MemoryMiB int    `json:"memory_mib"`
}

func handle(ctx context.Context, given event) (answer, error) {
	name := "world"
	if given.Name != nil {
		name = *given.Name
	}
	if name == "" {
		return answer{}, errors.New("an empty name")
	}
	fmt.Println("about to greet", name) // What a function prints goes to its log.
	invocation, _ := lambdacontext.FromContext(ctx)
	return answer{
		Greeting:  "Hello, " + name + "!",
		Function:  lambdacontext.FunctionName,
		Version:   lambdacontext.FunctionVersion,
		RequestID: invocation.AwsRequestID,
		MemoryMiB: lambdacontext.MemoryLimitInMB,
	}, nil
}

func main() {
	lambda.Start(handle)
}
