// One end of a TLS connection, by Go's own libraries as a program uses them that sets nothing, or names its groups.
//
//	peer serve CERTIFICATE KEY [GROUP...]     prints `listening PORT`, then the group of each request's handshake; answers 200
//	peer ask PORT CA-FILE [GROUP...]          asks for /healthz on two connections; prints each one's group, then the answer's status
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

var groupsByName = map[string]tls.CurveID{
	"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384,
}

func must[Value any](value Value, err error) Value {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// No names mean Go's defaults.
func groupsOf(names []string) []tls.CurveID {
	var groups []tls.CurveID
	for _, name := range names {
		group, known := groupsByName[name]
		if !known {
			log.Fatalf("no group %q here", name)
		}
		groups = append(groups, group)
	}
	return groups
}

func describe(state *tls.ConnectionState) string {
	for name, group := range groupsByName {
		if group == state.CurveID {
			return fmt.Sprintf("group %s, resumed %t", name, state.DidResume)
		}
	}
	return fmt.Sprintf("group %v, resumed %t", state.CurveID, state.DidResume)
}

func serve(certificate, key string, groups []tls.CurveID) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	server := http.Server{
		TLSConfig: &tls.Config{CurvePreferences: groups},
		Handler: http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			fmt.Println(describe(request.TLS))
			answer.Header().Set("Connection", "close")
		}),
	}
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.ServeTLS(listener, certificate, key))
}

func ask(port, authority string, groups []tls.CurveID) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(must(os.ReadFile(authority))) {
		log.Fatalf("no certificate in %s", authority)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, CurvePreferences: groups, ClientSessionCache: tls.NewLRUClientSessionCache(1)},
	}}
	for range 2 {
		answer := must(client.Get("https://127.0.0.1:" + port + "/healthz"))
		fmt.Println(describe(answer.TLS))
		fmt.Println(answer.Status)
		answer.Body.Close()
	}
}

func main() {
	arguments := os.Args[1:]
	if len(arguments) < 3 {
		log.Fatal("usage: peer serve CERTIFICATE KEY [GROUP...] | peer ask PORT CA-FILE [GROUP...]")
	}
	groups := groupsOf(arguments[3:])
	switch arguments[0] {
	case "serve":
		serve(arguments[1], arguments[2], groups)
	case "ask":
		ask(arguments[1], arguments[2], groups)
	}
}
