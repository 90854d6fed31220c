// Manages a webhook with the client that oapi-codegen makes, for ../client_test.py.
//
//	usage BASE_URL TOKEN RECEIVER
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"ringpost.example/foreign/relay"
)

func check(holds bool, what ...any) {
	if !holds {
		log.Fatal(what...)
	}
}

func main() {
	ctx := context.Background()
	token := os.Args[2]
	client, err := relay.NewClientWithResponses(os.Args[1], relay.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	check(err == nil, err)

	events := []string{"run.*"}
	created, err := client.CreateWebhookWithResponse(ctx, relay.WebhookCreate{Url: os.Args[3], Events: &events})
	check(err == nil, err)
	check(created.JSON201 != nil, string(created.Body))
	made := created.JSON201
	check(made.RatePerSecond == nil && made.Url == os.Args[3], string(created.Body))
	fmt.Println("created")

	limit := relay.Limit(10)
	listed, err := client.ListWebhooksWithResponse(ctx, &relay.ListWebhooksParams{Limit: &limit})
	check(err == nil, err)
	check(len(listed.JSON200.Items) == 1 && listed.JSON200.Items[0].Id == made.Id, string(listed.Body))
	fmt.Println("listed")

	description := "changed"
	updated, err := client.UpdateWebhookWithResponse(ctx, made.Id, relay.WebhookPatch{Description: &description})
	check(err == nil, err)
	check(updated.JSON200 != nil && updated.JSON200.Description == description, string(updated.Body))
	fmt.Println("updated")

	pinged, err := client.PingWebhookWithResponse(ctx, made.Id)
	check(err == nil, err)
	check(pinged.StatusCode() == http.StatusAccepted, string(pinged.Body))
	fmt.Println("pinged")

	delivered := false
	for count := 0; count < 300 && !delivered; count++ {
		deliveries, err := client.ListDeliveriesWithResponse(ctx, made.Id, &relay.ListDeliveriesParams{})
		check(err == nil, err)
		check(deliveries.JSON200 != nil && len(deliveries.JSON200.Items) == 1, string(deliveries.Body))
		delivered = deliveries.JSON200.Items[0].Status == "delivered"
		time.Sleep(100 * time.Millisecond)
	}
	check(delivered, "not delivered")
	fmt.Println("delivered")

	deleted, err := client.DeleteWebhookWithResponse(ctx, made.Id)
	check(err == nil, err)
	check(deleted.StatusCode() == http.StatusNoContent, string(deleted.Body))
	fmt.Println("deleted")
	gone, err := client.ShowWebhookWithResponse(ctx, made.Id)
	check(err == nil, err)
	check(gone.StatusCode() == http.StatusNotFound, string(gone.Body))
	fmt.Println("gone")
}
