// Sends events as CI systems do, by the libraries that these use themselves.
//
//	sender cloudevents MODE SINK ID     binary (as Tekton does), structured, or a batch of two; prints the answer's status
//	sender drone URL SECRET KIND        the call of Drone's server for a build (KIND is its status), or for a new user (KIND is "user")
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/drone/drone-go/drone"
	"github.com/drone/drone-go/plugin/webhook"
)

func must[Value any](value Value, err error) Value {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// What Tekton says at the end of a run.
func pipelineRun(id string) event.Event {
	made := cloudevents.NewEvent()
	made.SetID(id)
	made.SetType("dev.tekton.event.pipelinerun.successful.v1")
	made.SetSource("/apis/namespaces/ci/pipelineruns/build-1")
	made.SetSubject("build-1")
	made.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	data := map[string]any{"pipelineRun": map[string]any{"metadata": map[string]any{"name": "build-1"}}}
	if err := made.SetData(cloudevents.ApplicationJSON, data); err != nil {
		log.Fatal(err)
	}
	return made
}

func send(mode, sink, id string) {
	if mode == "batch" {
		request := must(cehttp.NewHTTPRequestFromEvents(context.Background(), sink,
			[]event.Event{pipelineRun(id), pipelineRun(id + "-2")}))
		answer := must(http.DefaultClient.Do(request))
		fmt.Println(answer.StatusCode)
		return
	}
	client := must(cloudevents.NewClientHTTP())
	way := cloudevents.ContextWithTarget(context.Background(), sink)
	if mode == "structured" {
		way = binding.WithForceStructured(way)
	} else {
		way = binding.WithForceBinary(way)
	}
	result := client.Send(way, pipelineRun(id))
	var answer *cehttp.Result
	if !cloudevents.ResultAs(result, &answer) {
		log.Fatal(result)
	}
	fmt.Println(answer.StatusCode)
}

func tellDrone(url, secret, kind string) {
	request := &webhook.Request{Event: webhook.EventUser, Action: webhook.ActionCreated, User: &drone.User{ID: 1, Login: "octocat"}}
	if kind != "user" {
		request = &webhook.Request{
			Event: webhook.EventBuild, Action: webhook.ActionUpdated,
			Repo:  &drone.Repo{Slug: "octocat/hello-world"},
			Build: &drone.Build{ID: 9, Number: 42, Status: kind, Target: "main", Started: 1564085874, Finished: 1564086343},
		}
	}
	if err := webhook.Client(url, secret, false).Deliver(context.Background(), request); err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 5 && os.Args[1] == "cloudevents":
		send(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 5 && os.Args[1] == "drone":
		tellDrone(os.Args[2], os.Args[3], os.Args[4])
	default:
		log.Fatal("see the beginning of main.go")
	}
}
