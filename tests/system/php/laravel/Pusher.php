<?php
// SPDX-License-Identifier: MIT
//
// What Laravel calls of the library pusher/pusher-php-server, which no registry
// of these tests has: the names, the options and the answers are the library's,
// the requests are those of the protocol.
namespace Pusher;

class ApiErrorException extends \Exception
{
}

class Pusher
{
    private $url;

    public function __construct(private $key, private $secret, private $app, $options)
    {
        $scheme = $options['scheme'] ?? ($options['useTLS'] ? 'https' : 'http');
        $this->url = "$scheme://{$options['host']}:{$options['port']}";
    }

    private function sign($text)
    {
        return hash_hmac('sha256', $text, $this->secret);
    }

    public function socket_auth($channel, $socket)
    {
        return json_encode(['auth' => "{$this->key}:" . $this->sign("$socket:$channel")]);
    }

    public function presence_auth($channel, $socket, $user, $info)
    {
        $data = json_encode(['user_id' => (string) $user, 'user_info' => $info]);
        $auth = "{$this->key}:" . $this->sign("$socket:$channel:$data");
        return json_encode(['auth' => $auth, 'channel_data' => $data]);
    }

    public function trigger($channels, $event, $data, $parameters = [])
    {
        $body = json_encode(['name' => $event, 'channels' => $channels, 'data' => json_encode($data)] + $parameters);
        $path = "/apps/{$this->app}/events";
        $query = "auth_key={$this->key}&auth_timestamp=" . time() . '&auth_version=1.0&body_md5=' . md5($body);
        $signature = $this->sign("POST\n$path\n$query");
        $curl = curl_init("{$this->url}$path?$query&auth_signature=$signature");
        curl_setopt_array($curl, [CURLOPT_POSTFIELDS => $body, CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 30, CURLOPT_HTTPHEADER => ['Content-Type: application/json']]);
        $answer = curl_exec($curl);
        if (curl_getinfo($curl, CURLINFO_HTTP_CODE) !== 200) {
            throw new ApiErrorException($answer === false ? curl_error($curl) : $answer);
        }
    }
}
